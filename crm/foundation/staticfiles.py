"""Hashed file names for production, ES-module imports included, so that browsers may cache for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage that also rewrites `import … from "./x.js"`."""

    support_js_module_import_aggregation = True
