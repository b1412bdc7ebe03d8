#!/bin/sh
# Installs a release archive: programs, units, manual pages, completions, configuration, documentation.
#
#   tar -xf opentracker-VERSION-TARGET.tar.gz && cd opentracker-VERSION-TARGET
#   sudo deploy/install.sh
#   sudo systemctl enable --now opentracker.socket opentracker.service
#
# PREFIX is where to, /usr/local if it is not set. DESTDIR is a folder that stands for the root, as packagers
# know it; the packages are made by this script. A configuration that is there stays as it is.
set -eu
umask 022
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local}
destination=${DESTDIR:-}
share=$destination$prefix/share
doc=$share/doc/opentracker-rs

# put MODE FOLDER FILE...
put() {
    mode=$1 folder=$2
    shift 2
    install -d "$folder"
    install -m "$mode" -t "$folder" "$@"
}

put 755 "$destination$prefix/bin" bin/*
put 644 "$share/man/man5" docs/man/*.5
put 644 "$share/man/man8" docs/man/*.8
put 644 "$share/zsh/${ZSH_FOLDER:-site-functions}" docs/completions/_*
for program in opentracker opentracker-ctl; do
    install -D -m 644 "docs/completions/$program.bash" "$share/bash-completion/completions/$program"
done
put 644 "$share/fish/vendor_completions.d" docs/completions/*.fish

units=$destination$prefix/lib/systemd/system
put 644 "$units" deploy/systemd/opentracker.service deploy/systemd/opentracker.socket
sed -i "s,/usr/local/,$prefix/,g" "$units/opentracker.service" "$units/opentracker.socket"
install -D -m 644 deploy/systemd/opentracker.sysusers "$destination$prefix/lib/sysusers.d/opentracker.conf"
install -D -m 644 deploy/apparmor/opentracker "$destination/etc/apparmor.d/opentracker"
if ! [ -e "$destination/etc/opentracker/opentracker.toml" ]; then
    put 644 "$destination/etc/opentracker" deploy/systemd/opentracker.toml
fi

# The links between the documents hold when they lie as they do here.
find README.md LICENSE-* crates deploy docs -type f | while read -r file; do
    install -D -m 644 "$file" "$doc/$file"
done

if [ -z "$destination" ]; then
    systemd-sysusers "$prefix/lib/sysusers.d/opentracker.conf"
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
    if [ -d /sys/kernel/security/apparmor ] && command -v apparmor_parser >/dev/null; then
        apparmor_parser --replace --write-cache /etc/apparmor.d/opentracker
    fi
fi
