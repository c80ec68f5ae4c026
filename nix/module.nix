# services.appliance: a server or an agent as a systemd unit, like the one install.sh installs.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.appliance;
  yaml = pkgs.formats.yaml { };
  settings =
    cfg.settings
    // {
      inherit (cfg) runtime;
    }
    // lib.optionalAttrs (cfg.role == "agent") { server = cfg.serverAddr; }
    // lib.optionalAttrs (cfg.tokenFile != null) { token-file = cfg.tokenFile; };
  configFile = yaml.generate "appliance.yaml" settings;
  engineUnit = if cfg.runtime == "docker" then "docker.service" else "podman.socket";
in
{
  options.services.appliance = {
    enable = lib.mkEnableOption "appliance, Kubernetes for small hosts";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.appliance;
      description = "The package to run.";
    };

    role = lib.mkOption {
      type = lib.types.enum [
        "server"
        "agent"
      ];
      default = "server";
      description = "A server runs the API and a node; an agent is a node of another host's server.";
    };

    serverAddr = lib.mkOption {
      type = lib.types.str;
      default = "";
      example = "https://pi-1:6443";
      description = "The server that an agent joins.";
    };

    tokenFile = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "/run/secrets/appliance-token";
      description = ''
        File with a token of `appliance token create`. A string, not a path: a path would be copied
        into the store, which everybody can read.
      '';
    };

    runtime = lib.mkOption {
      type = lib.types.enum [
        "podman"
        "docker"
      ];
      default = "podman";
      description = "The container engine; it is enabled, too.";
    };

    settings = lib.mkOption {
      inherit (yaml) type;
      default = { };
      example = {
        node-label = [ "room=attic" ];
      };
      description = "Keys of config.yaml, as the flags of `appliance server --help`.";
    };

    extraFlags = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further arguments of the command.";
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Let other hosts reach the API (6443), the node (10250) and pods (VXLAN 8472).";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.role != "agent" || cfg.serverAddr != "";
        message = "services.appliance: an agent needs serverAddr";
      }
      {
        assertion = cfg.role != "agent" || cfg.tokenFile != null;
        message = "services.appliance: an agent needs tokenFile";
      }
    ];

    virtualisation.docker.enable = lib.mkIf (cfg.runtime == "docker") true;
    virtualisation.podman.enable = lib.mkIf (cfg.runtime == "podman") true;

    environment.systemPackages = [ cfg.package ];

    boot.kernel.sysctl."net.ipv4.ip_forward" = 1;

    networking.firewall = lib.mkIf cfg.openFirewall {
      allowedTCPPorts = [ 10250 ] ++ lib.optional (cfg.role == "server") 6443;
      allowedUDPPorts = [ 8472 ];
    };

    systemd.services.appliance = {
      description = "appliance: Kubernetes ${cfg.role}";
      wantedBy = [ "multi-user.target" ];
      wants = [
        "network-online.target"
        engineUnit
      ];
      after = [
        "network-online.target"
        engineUnit
      ];
      # Where nothing but a person helps, the last message stays: see `appliance join --help`.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        Type = "notify";
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/appliance"
            cfg.role
            "--config"
            "${configFile}"
          ]
          ++ cfg.extraFlags
        );
        Restart = "always";
        RestartSec = 5;
        RestartPreventExitStatus = if cfg.role == "agent" then "2 3 4 5" else "2";
        KillMode = "mixed";
        TimeoutStartSec = "infinity";
        TimeoutStopSec = 20;
        LimitNOFILE = 1048576;
        TasksMax = "infinity";
        StateDirectory = "appliance";
      };
    };
  };
}
