//! The body of the fuzz target `upgrade`: any bytes as a request, as a response and as a URL. What is let in on one side
//! is understood on the other, and nothing that was given can add a line to what is sent.

#![allow(dead_code, unreachable_pub)] // each test and target uses a part

use heartline::frame::websocket::upgrade::{
    Acceptance, ClientRequest, HeadError, HttpHeads, Judgement, Request, Rules, UpgradeError, accept, healthy, refuse,
};
use heartline::frame::{Codec, Cut, Stream};

/// The bytes of the one head that `bytes` must be.
fn sole_head(bytes: &[u8]) {
    let cut = HttpHeads::default().cut(&mut bytes.to_vec(), &mut Stream::default(), &mut Vec::new(), usize::MAX);
    let Ok(Cut::Frame(frame)) = cut else { panic!("{cut:?} of {}", String::from_utf8_lossy(bytes)) };
    assert_eq!(frame.total, bytes.len(), "{}", String::from_utf8_lossy(bytes));
}

/// The head of a whole response, and its body, which is as long as the head says.
pub fn response(bytes: &[u8]) -> (String, String) {
    let text = String::from_utf8(bytes.to_vec()).expect("our responses are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    assert_eq!(length.parse(), Ok(body.len()), "{text}");
    (head.to_owned(), body.to_owned())
}

/// The rules that every request is judged by.
fn rules() -> [Rules; 3] {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let strict = Rules {
        paths: strings(&["/chat"]),
        origins: strings(&["https://example.org"]),
        origin_required: true,
        subprotocols: strings(&["b", "a"]),
        subprotocol_required: true,
        health_path: Some("/healthz".to_owned()),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()],
        ask_application: false,
    };
    [Rules::default(), Rules { ask_application: true, ..strict.clone() }, strict]
}

/// Target `upgrade`.
pub fn upgrade(data: &[u8]) {
    request(data);
    if let [at, rest @ ..] = data {
        let (first, second) = rest.split_at(usize::from(*at).min(rest.len()));
        let (first, second) = (String::from_utf8_lossy(first), String::from_utf8_lossy(second));
        answer(rest);
        url(&first);
        application(&first, &second);
    }
}

/// A request of anything.
pub fn request(head: &[u8]) {
    let request = match Request::read(head) {
        Err(refusal) => {
            assert!(!refusal.to_string().is_empty());
            let mut out = Vec::new();
            refuse(&refusal, &mut out);
            assert!(response(&out).0.starts_with(&format!("HTTP/1.1 {} ", refusal.status())));
            return;
        }
        Ok(request) => request,
    };
    assert!(request.path().starts_with('/') && request.path().is_ascii() && !request.path().contains('?'));
    assert!(request.headers().all(|(name, _)| request.header(name).is_some()));
    assert!(request.headers().count() <= 64);
    let connection = "10.0.0.1".parse().unwrap();
    for rules in rules() {
        rules.client(&request, connection);
        let mut out = Vec::new();
        match rules.judge(&request) {
            Judgement::Refuse(refusal) => {
                refuse(&refusal, &mut out);
                response(&out);
            }
            Judgement::Health => {
                assert!(!request.is_upgrade());
                healthy(&mut out);
                response(&out);
            }
            Judgement::Accept { subprotocol } | Judgement::Ask { subprotocol } => {
                assert!(request.is_upgrade() && request.host().is_some());
                accept(&request, &Acceptance { subprotocol, ..Acceptance::default() }, &mut out).unwrap();
                sole_head(&out);
                let mut client = ClientRequest::new("a", "/");
                client.subprotocols = request.subprotocols().map(str::to_owned).collect();
                // The key is not ours.
                match client.check([0; 16], &out) {
                    Ok(accepted) => assert_eq!(accepted.subprotocol(), subprotocol),
                    Err(error) => assert_eq!(error, UpgradeError::Accept),
                }
            }
        }
    }
}

/// A response of anything.
pub fn answer(head: &[u8]) {
    let mut client = ClientRequest::new("a", "/");
    (client.subprotocols, client.extensions) = (vec!["a".to_owned()], Some("x".to_owned()));
    match client.check([0; 16], head) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(accepted) => assert!(accepted.subprotocol().is_none_or(|chosen| chosen == "a")),
    }
}

/// A URL of anything: one that is read makes a request that a server understands.
pub fn url(url: &str) {
    match ClientRequest::from_url(url) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok((dial, client)) => {
            assert!(dial.contains(':') && dial.is_ascii());
            check_written(&client);
        }
    }
}

/// Texts of the application's: refused, or written so that the other side reads the same.
pub fn application(first: &str, second: &str) {
    let mut client = ClientRequest::new("a", "/");
    client.headers = vec![(first.to_owned(), second.to_owned())];
    check_written(&client);
    check_written(&ClientRequest { subprotocols: vec![first.to_owned(), second.to_owned()], ..client.clone() });
    check_written(&ClientRequest { origin: Some(first.to_owned()), ..ClientRequest::new("a", second) });
    check_written(&ClientRequest { extensions: Some(second.to_owned()), ..ClientRequest::new(first, "/") });

    let mut sent = Vec::new();
    ClientRequest::new("a", "/").write([1; 16], &mut sent).unwrap();
    let (request, mut out) = (Request::read(&sent).unwrap(), b"x".to_vec());
    match accept(&request, &Acceptance { headers: &[(first, second)], ..Acceptance::default() }, &mut out) {
        Err(_) => assert_eq!(out, b"x"),
        Ok(()) => {
            sole_head(&out[1..]);
            let accepted = ClientRequest::new("a", "/");
            let accepted = accepted.check([1; 16], &out[1..]).unwrap();
            assert_eq!(accepted.header(first), Some(second.as_bytes()));
        }
    }
    let chosen = accept(&request, &Acceptance { subprotocol: Some(first), ..Acceptance::default() }, &mut Vec::new());
    assert_eq!(chosen, Err(HeadError::SubprotocolNotOffered(first.to_owned())));
}

/// What is written is one head that a server understands, as it was meant.
pub fn check_written(client: &ClientRequest) {
    let mut sent = b"x".to_vec();
    if let Err(error) = client.write([7; 16], &mut sent) {
        assert!(!error.to_string().is_empty());
        assert_eq!(sent, b"x");
        return;
    }
    let sent = &sent[1..];
    sole_head(sent);
    let request = Request::read(sent).unwrap_or_else(|error| panic!("{error} of {}", String::from_utf8_lossy(sent)));
    assert!(request.is_upgrade());
    assert_eq!(request.host(), Some(client.host.as_str()));
    assert_eq!(
        request.query().map_or(request.path().len(), |query| request.path().len() + 1 + query.len()),
        client.path.len()
    );
    assert_eq!(request.origin(), client.origin.as_deref());
    assert!(request.subprotocols().eq(client.subprotocols.iter().map(String::as_str)));
    for (name, value) in &client.headers {
        assert_eq!(request.header(name), Some(value.as_bytes()));
    }
    let subprotocol = client.subprotocols.last().map(String::as_str);
    let extensions = client.extensions.as_deref().filter(|offered| !offered.contains('"'));
    let mut out = Vec::new();
    match accept(&request, &Acceptance { subprotocol, extensions, headers: &[] }, &mut out) {
        Ok(()) => assert_eq!(client.check([7; 16], &out).unwrap().subprotocol(), subprotocol),
        // A list with an empty member offers nothing by that name.
        Err(error) => assert!(matches!(error, HeadError::Extensions(_) | HeadError::TooLarge { .. }), "{error}"),
    }
}
