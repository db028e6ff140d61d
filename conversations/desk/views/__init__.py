"""The desk's views: pages and fragments, what agents do, files, sign-in."""
