//! What a server lets in.

use super::{Refusal, Request};
use ipnet::IpNet;
use std::net::IpAddr;

/// What a server lets in: set up once, shared by all its connections. By default everybody, at any path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The paths that there are, exactly as they come, without query. None: any. Others get 404.
    pub paths: Vec<String>,
    /// The origins whose pages may connect, as browsers write them: `https://example.org`, `http://localhost:8080`,
    /// `null`; without regard to case. `*` is any. None: any too, which is for services without cookies: a page of any
    /// site can connect with those of its visitor. Others get 403.
    pub origins: Vec<String>,
    /// Whether a request without origin is refused with 403. Browsers always send one, others seldom do, so that nobody
    /// else is kept out by it for long.
    pub origin_required: bool,
    /// The subprotocols spoken here, best first, in their exact case. The first that was offered is chosen.
    pub subprotocols: Vec<String>,
    /// Whether a request that offers none of `subprotocols` is refused with 400. Otherwise it is accepted without one.
    pub subprotocol_required: bool,
    /// The path at which a plain GET is answered with 200, for balancers. None: nowhere.
    pub health_path: Option<String>,
    /// Whose `X-Forwarded-For` is believed. None: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the application is shown each request that these rules would accept, and decides.
    pub ask_application: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<'r> {
    /// [`accept`](super::accept) it.
    Accept {
        /// The subprotocol chosen, one of the rules'.
        subprotocol: Option<&'r str>,
    },
    /// The application is to decide.
    Ask {
        /// The subprotocol that would be chosen.
        subprotocol: Option<&'r str>,
    },
    /// [`refuse`](super::refuse) it.
    Refuse(Refusal),
    /// A health check: it is [`healthy`](super::healthy).
    Health,
}

impl Rules {
    /// Judges a request that was read.
    pub fn judge(&self, request: &Request<'_>) -> Judgement<'_> {
        if self.health_path.as_deref().is_some_and(|path| request.is_health_check(path)) {
            return Judgement::Health;
        }
        match self.subprotocol_for(request) {
            Ok(subprotocol) if self.ask_application => Judgement::Ask { subprotocol },
            Ok(subprotocol) => Judgement::Accept { subprotocol },
            Err(refusal) => Judgement::Refuse(refusal),
        }
    }

    /// The client's address behind the trusted proxies: see [`Request::forwarded_for`].
    pub fn client(&self, request: &Request<'_>, connection: IpAddr) -> IpAddr {
        request.forwarded_for(connection, &self.trusted_proxies)
    }

    fn subprotocol_for(&self, request: &Request<'_>) -> Result<Option<&str>, Refusal> {
        if !self.paths.is_empty() && !self.paths.iter().any(|path| path == request.path()) {
            return Err(Refusal::fixed(404, "there is nothing at this path"));
        }
        if !request.is_upgrade() {
            // The key is end to end, Upgrade is hop by hop.
            let text = match request.header("sec-websocket-key") {
                Some(_) => "Upgrade: websocket is missing: a proxy on the way does not pass it on",
                None => "this is a WebSocket server: Upgrade: websocket is missing",
            };
            return Err(Refusal::fixed(426, text));
        }
        match request.origin() {
            None if self.origin_required => return Err(Refusal::fixed(403, "no Origin")),
            Some(origin) if !self.allows(origin) => {
                return Err(Refusal::fixed(403, "pages of this Origin may not connect"));
            }
            _ => {}
        }
        let chosen = self.subprotocols.iter().find(|known| request.subprotocols().any(|offered| offered == **known));
        if chosen.is_none() && self.subprotocol_required {
            return Err(Refusal::fixed(400, "Sec-WebSocket-Protocol offers nothing that is spoken here"));
        }
        Ok(chosen.map(String::as_str))
    }

    fn allows(&self, origin: &str) -> bool {
        let is = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
        self.origins.is_empty() || self.origins.iter().any(is)
    }
}
