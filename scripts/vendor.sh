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

unpack lucide-static 1.62.0 386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44
mkdir -p static/vendor/lucide
cp "$folder/lucide-static/package/LICENSE" static/vendor/lucide/

unpack emoji-picker-element-data 1.8.0 cd50a3a50680bd99625ede703c617dfd21c6f2391cd514cb7b1addbdff500e68
mkdir -p static/vendor/emoji-1.8.0
cp "$folder/emoji-picker-element-data/package/LICENSE" static/vendor/emoji-1.8.0/
# [[emoji, name, search words, group], …], without bare skin tones and hair (group 2) and what older phones cannot draw
for language in es en; do
    jq --compact-output 'map(select(.group != 2 and .version <= 15 and .emoji != null)) | sort_by(.order)
        | map([.emoji, .annotation, ((.tags // []) | join(" ")), .group])' \
        "$folder/emoji-picker-element-data/package/$language/cldr/data.json" >"static/vendor/emoji-1.8.0/$language.json"
done

icons="alarm-clock arrow-down arrow-left at-sign ban blocks bold bookmark calendar-clock check check-check chevron-down
    chevron-left chevron-right chevron-up circle-check circle-help clock code command contact copy download
    ellipsis eye file flag forward history hourglass image inbox info italic keyboard languages layers link
    list-filter lock log-out mail mail-open map-pin megaphone message-circle message-square mic minus moon
    package panel-right paperclip pause pencil phone pin pin-off play plus refresh-cw reply rotate-ccw rotate-cw
    search send settings shopping-cart sliders-horizontal smartphone smile smile-plus square square-check
    sticky-note strikethrough sun tag timer trash-2 triangle-alert type user user-check user-plus users video
    wifi-off x zap zoom-in zoom-out"
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
