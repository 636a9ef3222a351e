#!/bin/sh
# Starts `nautil worker` with the arguments of the container. The state folder is a volume, so it does not contain what the set-up
# installed in the image: links lead there.
set -eu
umask 077
mkdir -p "$NAUTIL_HOME"
for part in /opt/nautil/setup/*; do
  link="$NAUTIL_HOME/$(basename "$part")"
  # Workers that share the volume start at once, so another one may have made the link.
  [ -e "$link" ] || ln -sfn "$part" "$link" || [ -e "$link" ]
done
exec nautil worker "$@"
