#!/bin/sh
# Install appliance on this host, or bring it up to date; the same line again changes nothing.
#
#   sh install.sh                                                   a server
#   APPLIANCE_URL=https://pi-1:6443 APPLIANCE_TOKEN=K10… sh install.sh      a node of pi-1's cluster
#
# APPLIANCE_WHEEL            the wheel (default: the one beside this script, or in dist/ beside it)
# APPLIANCE_URL              join this server's cluster instead of starting one
# APPLIANCE_TOKEN, APPLIANCE_TOKEN_FILE   from `appliance token create`
# APPLIANCE_<KEY>            any other key of the configuration, such as APPLIANCE_RUNTIME=podman
# INSTALL_APPLIANCE_EXEC     further arguments for the service
# INSTALL_APPLIANCE_SKIP_START=true, _SKIP_ENABLE=true, _SKIP_ENGINE=true   leave that out
# INSTALL_APPLIANCE_SYSTEMD=yes|no    default: whether this host runs it
# INSTALL_APPLIANCE_DIR (/opt/appliance), _BIN_DIR (/usr/local/bin), _CONFIG_DIR (/etc/appliance),
# _SYSTEMD_DIR (/etc/systemd/system)
#
# pip reads its own variables too: with PIP_NO_INDEX=1 and PIP_FIND_LINKS=<folder of wheels> nothing
# is fetched.
set -eu

say() { echo "install: $*"; }
die() {
  echo "install: $*" >&2
  exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
dir=${INSTALL_APPLIANCE_DIR:-/opt/appliance}
bin_dir=${INSTALL_APPLIANCE_BIN_DIR:-/usr/local/bin}
config_dir=${INSTALL_APPLIANCE_CONFIG_DIR:-/etc/appliance}
systemd_dir=${INSTALL_APPLIANCE_SYSTEMD_DIR:-/etc/systemd/system}
venv=$dir/venv
changed=false

find_wheel() {
  if [ -n "${APPLIANCE_WHEEL:-}" ]; then
    [ -f "$APPLIANCE_WHEEL" ] || die "there is no wheel $APPLIANCE_WHEEL"
    echo "$APPLIANCE_WHEEL"
    return
  fi
  for found in "$here"/appliance-*.whl "$here"/dist/appliance-*.whl; do
    [ -f "$found" ] && echo "$found" && return
  done
  die "no wheel beside $0 nor in dist/: run 'make dist' or set APPLIANCE_WHEEL"
}

set_role() {
  role=server unit=appliance.service other=appliance-agent.service
  if [ -n "${APPLIANCE_URL:-}" ]; then
    role=agent unit=appliance-agent.service other=appliance.service
    [ -n "${APPLIANCE_TOKEN:-}${APPLIANCE_TOKEN_FILE:-}" ] || [ -f "$config_dir/config.yaml.d/50-install.yaml" ] ||
      die "APPLIANCE_URL without APPLIANCE_TOKEN: run 'appliance token create' on the server"
  fi
  [ ! -f "$systemd_dir/$other" ] ||
    die "this host is installed as the other role ($systemd_dir/$other); run appliance-uninstall first"
  case ${INSTALL_APPLIANCE_SYSTEMD:-auto} in
    yes) systemd=true ;;
    no) systemd=false ;;
    auto) if [ -d /run/systemd/system ]; then systemd=true; else systemd=false; fi ;;
    *) die "INSTALL_APPLIANCE_SYSTEMD must be yes, no or auto" ;;
  esac
}

make_venv() {
  python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "Python 3.11 or newer is needed; set PYTHON to one"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    command -v apt-get >/dev/null || die "$python has no venv module; install it first"
    say "installing python3-venv"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv >/dev/null
  fi
  mkdir -p "$dir"
  sum=$(sha256sum "$wheel" | cut -d' ' -f1)
  if [ "$(cat "$dir/wheel.sha256" 2>/dev/null)" = "$sum" ]; then
    say "$(basename "$wheel") is installed"
    return
  fi
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  say "installing $(basename "$wheel") into $venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check "$wheel"
  # Again by itself: pip takes a wheel of the same version for the one that is there.
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-index --force-reinstall "$wheel"
  echo "$sum" >"$dir/wheel.sha256"
  changed=true
}

# put FILE MODE: replace a file by standard input if that differs.
put() {
  mkdir -p "$(dirname "$1")"
  (umask 077 && cat >"$1.new")
  chmod "$2" "$1.new"
  if cmp -s "$1.new" "$1"; then
    rm "$1.new"
  else
    mv "$1.new" "$1"
    changed=true
  fi
}

write_commands() {
  mkdir -p "$bin_dir"
  ln -sf "$venv/bin/appliance" "$bin_dir/appliance"
  put "$bin_dir/appliance-uninstall" 755 <<END
#!/bin/sh
# Remove appliance from this host; --keep-data leaves the cluster's data. Made by install.sh.
set -eu
keep=
[ "\${1:-}" = --keep-data ] && keep=--keep-data
for unit in appliance.service appliance-agent.service; do
  if [ -f "$systemd_dir/\$unit" ]; then
    systemctl disable --now "\$unit" || echo "\$unit could not be stopped" >&2
    rm -f "$systemd_dir/\$unit"
    systemctl daemon-reload
  fi
done
data=\$("$venv/bin/python" -c 'import os
from appliance.config.load import load
print(load("server", {}, environ=os.environ, file="$config_dir/config.yaml").data_dir)')
if [ -f "\$data/cluster-id" ]; then
  # shellcheck disable=SC2086 # one flag or none
  "$venv/bin/appliance" reset --data-dir "\$data" \$keep
fi
rm -rf "$dir"
rm -f "$config_dir/config.yaml.d/50-install.yaml" "$config_dir/appliance.env"
rm -f "$bin_dir/appliance" "$bin_dir/appliance-uninstall"
echo "appliance is gone from this host"
END
}

# Keys from the environment become a file that every verb reads, with systemd or without.
write_config() {
  keys=$(APPLIANCE_SERVER=${APPLIANCE_URL:-} "$venv/bin/python" -c '
import os, yaml
from appliance.config.keys import KEYS
found = {k.name: os.environ.get("APPLIANCE_" + k.attribute.upper()) for k in KEYS}
found = {name: text for name, text in found.items() if text}
print(yaml.safe_dump(found, default_flow_style=False) if found else "", end="")')
  [ -f "$config_dir/config.yaml" ] || put "$config_dir/config.yaml" 600 <<END
# Keys are named as the flags of \`appliance $role --help\`, for example:
# node-label: [room=attic]
END
  file=$config_dir/config.yaml.d/50-install.yaml
  if [ -n "$keys" ]; then
    put "$file" 600 <<END
# Made by install.sh from its environment.
$keys
END
  fi
  args=$(printf %s "${INSTALL_APPLIANCE_EXEC:-}" | sed 's/[\\"]/\\&/g')
  if [ -n "$args" ] || [ -f "$config_dir/appliance.env" ]; then
    put "$config_dir/appliance.env" 600 <<END
APPLIANCE_ARGS="$args"
END
  fi
}

write_unit() {
  units=$("$venv/bin/python" -c 'import appliance.host; print(appliance.host.__path__[0])')/systemd
  config=
  [ "$config_dir" = /etc/appliance ] || config=" --config $config_dir/config.yaml"
  # Not a pipe into put: what it learns would be lost with the subshell.
  put "$systemd_dir/$unit" 644 <<END
$(sed -e "s|/usr/local/bin/appliance $role|$bin_dir/appliance $role$config|" -e "s|/etc/appliance/|$config_dir/|" "$units/$unit")
END
}

ensure_engine() {
  [ "${INSTALL_APPLIANCE_SKIP_ENGINE:-}" != true ] || return 0
  mkdir -p "$dir/run"
  "$venv/bin/python" -m appliance.host.engines ensure --runtime "${APPLIANCE_RUNTIME:-auto}" --run-dir "$dir/run"
}

start() {
  if [ "$systemd" = false ]; then
    say "no systemd here; start it with: $bin_dir/appliance $role"
    return
  fi
  write_unit
  systemctl daemon-reload
  [ "${INSTALL_APPLIANCE_SKIP_ENABLE:-}" = true ] || systemctl enable -q "$unit"
  if [ "${INSTALL_APPLIANCE_SKIP_START:-}" = true ]; then
    say "not started; start it with: systemctl start $unit"
    return
  fi
  ensure_engine
  if [ "$changed" = true ]; then
    say "starting $unit"
    systemctl restart "$unit"
  else
    systemctl start "$unit"
  fi
}

set_role
wheel=$(find_wheel)
make_venv
write_commands
write_config
start
say "done: $("$bin_dir/appliance" --version), as $role"
