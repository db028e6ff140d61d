#!/bin/sh
# Brings the front-end packages into static/vendor/ and builds the icon sprite; nothing of it runs at build or serve time.
# Each package is asked for by name and version and accepted by its SHA-256.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# unpack NAME VERSION SHA256: leaves the package in $folder/NAME/package
unpack() {
    mkdir -p "$folder/$1"
    archive=$folder/$1/$(cd "$folder/$1" && npm pack --silent "$1@$2")
    echo "$3  $archive" | sha256sum --check --quiet
    tar -xzf "$archive" -C "$folder/$1"
}

unpack htmx.org 4.0.1 5fba65616ca148a86d377e9771bcada7f35faee3558651feb929eea425e13b3c
mkdir -p static/vendor/htmx-4.0.1
cp "$folder/htmx.org/package/dist/htmx.min.js" "$folder/htmx.org/package/LICENSE" static/vendor/htmx-4.0.1/

unpack lucide-static 1.62.0 386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44
mkdir -p static/vendor/lucide
cp "$folder/lucide-static/package/LICENSE" static/vendor/lucide/

icons="arrow-down arrow-left ban check check-check chevron-down circle-check circle-help clock contact eye file forward
    hourglass image inbox languages list lock log-out map-pin megaphone menu mic moon package paperclip pencil phone
    phone-missed play plus refresh-cw reply rotate-ccw search send shopping-cart smartphone smile sticker sticky-note sun
    triangle-alert user users video wifi-off x"
{
    echo '<svg xmlns="http://www.w3.org/2000/svg">'
    echo "<!-- Icons of Lucide 1.62.0, ISC licence: static/vendor/lucide/LICENSE. Built by scripts/vendor.sh. -->"
    for icon in $icons; do
        printf '<symbol id="%s" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" ' "$icon"
        printf 'stroke-linecap="round" stroke-linejoin="round">'
        tr '\n' ' ' <"$folder/lucide-static/package/icons/$icon.svg" |
            sed -e 's/<!--[^>]*-->//' -e 's/^ *<svg[^>]*> *//' -e 's/ *<\/svg> *$//' -e 's/> */>/g'
        echo '</symbol>'
    done
    echo '</svg>'
} >static/icons.svg
