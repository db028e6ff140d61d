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

unpack emoji-picker-element-data 1.8.0 cd50a3a50680bd99625ede703c617dfd21c6f2391cd514cb7b1addbdff500e68
mkdir -p static/vendor/emoji-1.8.0
cp "$folder/emoji-picker-element-data/package/LICENSE" static/vendor/emoji-1.8.0/
# [[emoji, name, search words, group], …], without bare skin tones and hair (group 2) and what older phones cannot draw
for language in es en; do
    jq --compact-output 'map(select(.group != 2 and .version <= 15 and .emoji != null)) | sort_by(.order)
        | map([.emoji, .annotation, ((.tags // []) | join(" ")), .group])' \
        "$folder/emoji-picker-element-data/package/$language/cldr/data.json" >"static/vendor/emoji-1.8.0/$language.json"
done

icons="alarm-clock archive arrow-down arrow-left arrow-right arrow-up at-sign ban battery-full bell bell-off blocks
    bold bookmark building cake calendar calendar-clock camera check check-check chevron-down chevron-left
    chevron-right chevron-up circle circle-check circle-dot circle-help circle-pause circle-play circle-x clock code
    command contact copy corner-up-left download ellipsis external-link eye eye-off file files filter flag flame
    folder forward gauge gift git-merge globe hash headphones history hourglass id-card image images inbox info
    italic key keyboard languages layers link list list-checks list-filter loader lock log-out mail mail-open map
    map-pin maximize megaphone menu message-circle message-square mic minimize minus monitor moon
    mouse-pointer-click move package palette panel-left panel-right paperclip pause pencil phone phone-call
    phone-missed phone-off phone-outgoing pin pin-off play plug plus quote refresh-cw reply rotate-ccw rotate-cw
    save search send settings share-2 shield shopping-bag shopping-cart signal sliders-horizontal smartphone smile
    smile-plus square square-check star sticker sticky-note strikethrough sun tag tags terminal text-cursor-input
    timer trash-2 triangle-alert type undo-2 upload user user-check user-plus users video volume-2 volume-x
    wand-sparkles wifi wifi-off x zap zoom-in zoom-out"
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
