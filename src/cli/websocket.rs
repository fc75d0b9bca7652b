//! The flags of `serve` for the upgrade of a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;
use heartline::frame::websocket::upgrade::Rules;
use heartline::reactor::WebSocketOptions;
use ipnet::IpNet;

use super::Problem;
use super::args::{ServeArgs, Switch};
use super::values::duration_ms;

/// All are optional, so that a config file can stand in for each.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "WebSocket (--frame websocket)")]
pub(crate) struct WebSocketArgs {
    /// A path that there is; may be repeated [default: any]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) path: Option<Vec<String>>,

    /// Whose pages may connect, as browsers write it: https://example.org; * is any; may be repeated [default: any]
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<Vec<String>>,

    /// Refuse who sends no Origin, which all browsers do [default: off]
    #[arg(long, value_enum)]
    pub(crate) origin_required: Option<Switch>,

    /// A subprotocol that is spoken, best first; may be repeated [default: none]
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Option<Vec<String>>,

    /// Answer 200 to a plain GET of this path, for balancers [default: off]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) health_path: Option<String>,

    /// A proxy whose X-Forwarded-For is believed: an address or a network such as 10.0.0.0/8; may be repeated
    /// [default: none]
    #[arg(long, value_name = "NET", value_parser = net)]
    pub(crate) trusted_proxy: Option<Vec<IpNet>>,

    /// The upgrade must be through within this of the open; 0: off [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    pub(crate) upgrade_limit: Option<u32>,
}

impl WebSocketArgs {
    /// These flags, and `file`'s where a flag was not given.
    pub(crate) fn over(self, file: Self) -> Self {
        macro_rules! over {
            ($($field:ident)*) => { Self { $($field: self.$field.or(file.$field),)* } };
        }
        over!(path origin origin_required subprotocol health_path trusted_proxy upgrade_limit)
    }

    /// The flags that are given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("--path", self.path.is_some()),
            ("--origin", self.origin.is_some()),
            ("--origin-required", self.origin_required.is_some()),
            ("--subprotocol", self.subprotocol.is_some()),
            ("--health-path", self.health_path.is_some()),
            ("--trusted-proxy", self.trusted_proxy.is_some()),
            ("--upgrade-limit", self.upgrade_limit.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
    }
}

/// What the flags make of the upgrade; of a frame that has none they are refused.
pub(crate) fn options(args: &ServeArgs, is_websocket: bool) -> Result<WebSocketOptions, Problem> {
    let flags = &args.websocket;
    if !is_websocket && let Some(name) = flags.given().next() {
        return Err(Problem::usage(format!("{name} is for --frame websocket")));
    }
    let defaults = WebSocketOptions::default();
    let rules = Rules {
        paths: flags.path.clone().unwrap_or_default(),
        origins: flags.origin.clone().unwrap_or_default(),
        origin_required: flags.origin_required.is_some_and(Switch::is_on),
        subprotocols: flags.subprotocol.clone().unwrap_or_default(),
        health_path: flags.health_path.clone(),
        trusted_proxies: flags.trusted_proxy.clone().unwrap_or_default(),
        ..Rules::default()
    };
    let upgrade_ms = flags.upgrade_limit.unwrap_or(defaults.upgrade_ms);
    Ok(WebSocketOptions { rules: Some(Arc::new(rules)), upgrade_ms, ..defaults })
}

fn path(text: &str) -> Result<String, String> {
    let is_path =
        text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#');
    if is_path { Ok(text.to_owned()) } else { Err("write a path such as /game, without query".to_owned()) }
}

fn net(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "write an address or a network, such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_and_others_refused() {
        assert_eq!(net("10.0.0.7").unwrap(), "10.0.0.7/32".parse().unwrap());
        assert_eq!(net("fd00::/8").unwrap(), "fd00::/8".parse().unwrap());
        for bad in ["10.0.0.0/33", "proxy", ""] {
            assert!(net(bad).unwrap_err().contains("10.0.0.0/8"), "{bad}");
        }
    }

    #[test]
    fn a_path_is_absolute_and_has_no_query() {
        assert_eq!(path("/game").unwrap(), "/game");
        for bad in ["game", "/game?x", "/a b", ""] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_flags_make_the_rules_and_are_for_websocket_alone() {
        let websocket = WebSocketArgs {
            path: Some(vec!["/game".to_owned()]),
            origin_required: Some(Switch::On),
            upgrade_limit: Some(500),
            ..WebSocketArgs::default()
        };
        let args = ServeArgs { websocket, ..ServeArgs::default() };
        let options = super::options(&args, true).unwrap();
        let rules = options.rules.unwrap();
        assert_eq!((rules.paths.len(), rules.origin_required, options.upgrade_ms), (1, true, 500));
        let problem = super::options(&args, false).unwrap_err();
        assert!(problem.text().contains("--path"), "{}", problem.text());
        assert!(super::options(&ServeArgs::default(), false).is_ok());
    }
}
