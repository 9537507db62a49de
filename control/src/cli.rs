//! The command line: flags in, a checked configuration out.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::node::{Config, Node, TrunkConfig};

/// Exit code for a command line that cannot be served.
const USAGE: u8 = 2;

/// A node of an MC system: media plane and control plane in one process.
#[derive(Debug, Parser)]
#[command(
    name = "control",
    version,
    about,
    long_about = "A node of an MC system: media plane and control plane in one process.\n\nWithout a command it is `control serve --open` on loopback: no tokens, every right, this machine only.\nA flag of `serve` that is not given is taken from the environment: CARRYOVER_ and its name."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves calls until SIGTERM.
    Serve(Box<Serve>),
    /// Makes certificates to try trunks with: ca.pem, and SYSTEM.pem with SYSTEM-key.pem for each system.
    Certs {
        /// Where to; made if it is not there. Nothing in it is overwritten.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// MC system ids of the systems that shall hold a trunk.
        #[arg(value_name = "SYSTEM", required = true)]
        systems: Vec<String>,
    },
    /// Checks the configuration and the limits of the kernel: later.
    #[command(hide = true)]
    Check {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// MC system id: the name under which partners know this system. 1 to 255 octets.
    #[arg(long, value_name = "NAME", env = "CARRYOVER_SYSTEM", default_value = "local.example")]
    system: String,
    /// Address of the HTTP API (TCP). Loopback only until tokens exist.
    #[arg(long, value_name = "ADDR", env = "CARRYOVER_HTTP", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Base media address (UDP): worker w uses port + 4·w for RTP, + 1 RTCP, + 2 floor control. Loopback only until
    /// tokens exist.
    #[arg(long, value_name = "ADDR", env = "CARRYOVER_MEDIA", default_value = "127.0.0.1:20000")]
    media: Vec<SocketAddr>,
    /// What answers name instead of the media address: later.
    #[arg(long, value_name = "ADDR", env = "CARRYOVER_MEDIA_ADVERTISE", hide = true)]
    media_advertise: Option<String>,
    /// Media workers, each on a core of its own: 1 to 64. Default: one per core, at least 2.
    #[arg(long, value_name = "N", env = "CARRYOVER_WORKERS", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,
    /// Directory for what must survive a restart: users, groups, partners, affiliations, migrations, and the audit trail. Made if
    /// it is missing; one node at a time. Calls and the floor are not stored: clients come back by late entry.
    #[arg(long, value_name = "DIR", env = "CARRYOVER_DATA", default_value = "./data")]
    data: PathBuf,
    /// Address of the trunk to partner systems (UDP, QUIC); port 0: any free one. Loopback only with --open. Needs the three
    /// files below; without all four this system has no partners.
    #[arg(long, value_name = "ADDR", env = "CARRYOVER_TRUNK", requires_all = ["trunk_cert", "trunk_key", "trunk_ca"])]
    trunk: Option<SocketAddr>,
    /// Certificate of this system for its trunk, with its chain (PEM). Exactly one dNSName, equal to --system.
    #[arg(long, value_name = "FILE", env = "CARRYOVER_TRUNK_CERT", requires = "trunk")]
    trunk_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM).
    #[arg(long, value_name = "FILE", env = "CARRYOVER_TRUNK_KEY", requires = "trunk")]
    trunk_key: Option<PathBuf>,
    /// Certificates of the authorities that certify partner systems (PEM): 1 or more.
    #[arg(long, value_name = "FILE", env = "CARRYOVER_TRUNK_CA", requires = "trunk")]
    trunk_ca: Option<PathBuf>,
    /// No tokens: everybody on this machine has every right, and nobody else can ask.
    #[arg(long, env = "CARRYOVER_OPEN")]
    open: bool,
    /// How long running calls may go on after SIGTERM, as 10s, 500ms or 2m; then they are released. At most 24h.
    #[arg(long, value_name = "TIME", env = "CARRYOVER_DRAIN_TIMEOUT", default_value = "10s", value_parser = duration)]
    drain_timeout: Duration,
    /// A file with the same names: later.
    #[arg(long, value_name = "FILE", env = "CARRYOVER_CONFIG", hide = true)]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Runs what was asked for.
    pub async fn run(self) -> ExitCode {
        let serve = match self.command {
            Some(Command::Serve(serve)) => serve,
            Some(Command::Certs { dir, systems }) => return certs(&dir, &systems),
            Some(Command::Check { .. }) => {
                eprintln!("control: {}", not_yet("check", "start `control serve`, which says what it cannot use"));
                return ExitCode::from(USAGE);
            }
            None => {
                tracing::warn!("no command: serving on loopback without tokens, as `control serve --open` does");
                match Arguments::parse_from(["control", "serve", "--open"]).command {
                    Some(Command::Serve(serve)) => serve,
                    _ => return ExitCode::from(USAGE),
                }
            }
        };
        match serve.check() {
            Ok((config, drain_timeout)) => run(config, drain_timeout).await,
            Err(advice) => {
                eprintln!("control: {advice}");
                ExitCode::from(USAGE)
            }
        }
    }
}

impl Serve {
    fn check(self) -> Result<(Config, Duration), String> {
        if !self.open {
            return Err(String::from(
                "no keys to check tokens with, and this build has none yet; add --open to serve this machine only",
            ));
        }
        if self.media_advertise.is_some() {
            return Err(not_yet("--media-advertise", "leave it out: answers name the --media address"));
        }
        if self.config.is_some() {
            return Err(not_yet("--config", "give flags or CARRYOVER_… variables instead"));
        }
        let [media] = self.media[..] else {
            return Err(not_yet("--media given twice", "give one address, v4 or v6"));
        };
        let trunk = self.trunk.map(|address| ("--trunk", address));
        for (flag, address) in [("--http", self.http), ("--media", media)].into_iter().chain(trunk) {
            if !address.ip().is_loopback() {
                return Err(format!(
                    "{flag} {address} is not loopback, and --open serves this machine only; use 127.0.0.1 or [::1]"
                ));
            }
        }
        control_core::group::check_id("--system", &self.system).map_err(|refused| refused.detail)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.map_or(cores.max(2), usize::from);
        if media.port() != 0 && usize::from(media.port()) + 4 * workers > 65_536 {
            return Err(format!("--media port {} leaves no room for {workers} workers of 4 ports each", media.port()));
        }
        let trunk = match (self.trunk, self.trunk_cert, self.trunk_key, self.trunk_ca) {
            (Some(address), Some(certificate), Some(key), Some(ca)) => {
                Some(TrunkConfig { address, certificate, key, ca })
            }
            // The parser has refused a part of them.
            _ => None,
        };
        let config = Config { system: self.system, http: self.http, media, workers, data: self.data, trunk };
        Ok((config, self.drain_timeout))
    }
}

fn certs(dir: &Path, systems: &[String]) -> ExitCode {
    match crate::certs::make(dir, systems) {
        // Who closed standard output does not want to read it.
        Ok(written) => drop(write!(std::io::stdout(), "{written}")),
        Err(error) => {
            eprintln!("control: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn run(config: Config, drain_timeout: Duration) -> ExitCode {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        eprintln!("control: signals cannot be watched on this system");
        return ExitCode::FAILURE;
    };
    let node = match Node::start(config).await {
        Ok(node) => node,
        Err(error) => {
            eprintln!("control: {error}");
            return ExitCode::FAILURE;
        }
    };
    tracing::info!("serving HTTP on http://{}, media on {:?}", node.http_addr(), node.media_addrs());
    if let Some(trunk) = node.trunk_addr() {
        tracing::info!("trunk on {trunk}");
    }
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    tokio::select! {
        () = node.drain(drain_timeout) => {}
        _ = terminate.recv() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => return ExitCode::SUCCESS,
    }
    node.stop().await;
    ExitCode::SUCCESS
}

/// Something that the command line of later builds takes.
fn not_yet(what: &str, advice: &str) -> String {
    format!("{what} is not-yet in this build; {advice}")
}

fn duration(text: &str) -> Result<Duration, String> {
    let value = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if value > Duration::from_secs(24 * 3600) {
        return Err(String::from("more than 24h"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str]) -> Result<(Config, Duration), String> {
        let all = ["control", "serve"].iter().chain(arguments);
        match Arguments::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Some(Command::Serve(serve)) => serve.check(),
            _ => panic!("serve was asked for"),
        }
    }

    #[test]
    fn without_keys_only_this_machine_is_served() {
        assert!(check(&[]).unwrap_err().contains("--open"));
        assert!(check(&["--open", "--http", "0.0.0.0:80"]).unwrap_err().contains("loopback"));
        assert!(check(&["--open", "--media", "10.0.0.1:20000"]).unwrap_err().contains("loopback"));
        let (config, drain) = check(&["--open"]).unwrap();
        assert_eq!(
            (config.http, config.media),
            ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:20000".parse().unwrap())
        );
        assert_eq!((config.system.as_str(), drain), ("local.example", Duration::from_secs(10)));
        assert!(config.workers >= 2);
    }

    #[test]
    fn what_later_builds_have_says_not_yet() {
        for flags in [
            &["--media-advertise", "127.0.0.1:1"][..],
            &["--config", "node.toml"],
            &["--media", "127.0.0.1:20000", "--media", "[::1]:20000"],
        ] {
            let advice = check(&[&["--open"], flags].concat()).unwrap_err();
            assert!(advice.contains("not-yet") && advice.contains(flags[0]), "{advice}");
        }
    }

    #[test]
    fn a_trunk_has_all_four_flags_or_none() {
        let all =
            ["--trunk", "127.0.0.1:4433", "--trunk-cert", "a.pem", "--trunk-key", "k.pem", "--trunk-ca", "ca.pem"];
        assert_eq!(check(&["--open"]).unwrap().0.trunk, None);
        let (config, _) = check(&[&["--open"], &all[..]].concat()).unwrap();
        let expected = TrunkConfig {
            address: "127.0.0.1:4433".parse().unwrap(),
            certificate: "a.pem".into(),
            key: "k.pem".into(),
            ca: "ca.pem".into(),
        };
        assert_eq!((config.trunk, config.data), (Some(expected), PathBuf::from("./data")));
        for at in (0..all.len()).step_by(2) {
            let without = [&["--open"], &all[..at], &all[at + 2..]].concat();
            let advice = check(&without).unwrap_err();
            assert!(advice.contains(all[at]), "{advice} names what is missing");
        }
        let mut elsewhere = all;
        elsewhere[1] = "10.0.0.1:4433";
        assert!(check(&[&["--open"], &elsewhere[..]].concat()).unwrap_err().contains("--trunk 10.0.0.1:4433"));
    }

    #[test]
    fn limits_of_flags_have_two_sides() {
        assert!(check(&["--open", "--workers", "64"]).is_ok());
        assert!(check(&["--open", "--workers", "65"]).is_err());
        assert!(check(&["--open", "--workers", "0"]).is_err());
        assert!(check(&["--open", "--drain-timeout", "24h"]).is_ok());
        assert!(check(&["--open", "--drain-timeout", "25h"]).is_err());
        assert!(check(&["--open", "--workers", "2", "--media", "127.0.0.1:65528"]).is_ok());
        assert!(check(&["--open", "--workers", "2", "--media", "127.0.0.1:65532"]).is_err());
    }
}
