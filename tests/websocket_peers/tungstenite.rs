//! `tungstenite` as a client and as a server. It is blocking: each connection of the server has a thread.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ::tungstenite::client::IntoClientRequest;
use ::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use ::tungstenite::http::HeaderValue;
use ::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use ::tungstenite::protocol::frame::{CloseFrame, Frame};
use ::tungstenite::protocol::{WebSocket, WebSocketConfig};
use ::tungstenite::{Error, Message, accept_hdr_with_config, client};

const PATIENCE: Duration = Duration::from_secs(20);
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
const MIB: usize = 1 << 20;

type Socket = WebSocket<TcpStream>;

/// Longer messages than ours takes.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(None).max_frame_size(None)
}

fn part(opcode: Data, payload: &[u8], is_final: bool) -> Message {
    Message::Frame(Frame::message(payload.to_vec(), OpCode::Data(opcode), is_final))
}

fn connect(address: &str) -> Socket {
    connect_for(address, "").0
}

/// With the subprotocol that was agreed on.
fn connect_for(address: &str, subprotocols: &str) -> (Socket, Option<String>) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = format!("ws://{address}/chat").into_client_request().unwrap();
    if !subprotocols.is_empty() {
        request.headers_mut().insert(SUBPROTOCOL, subprotocols.parse().unwrap());
    }
    let (mut socket, response) = client(request, stream).unwrap();
    socket.set_config(|config| (config.max_message_size, config.max_frame_size) = (None, None));
    let chosen = response.headers().get(SUBPROTOCOL).map(|chosen| chosen.to_str().unwrap().to_owned());
    (socket, chosen)
}

#[track_caller]
fn echoes(socket: &mut Socket, message: Message) {
    socket.send(message.clone()).unwrap();
    let came = next(socket);
    assert!(came == message, "{} bytes came for {}", came.len(), message.len());
}

/// The next message that is no beat.
#[track_caller]
fn next<S: Read + Write>(socket: &mut WebSocket<S>) -> Message {
    loop {
        match socket.read().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

/// What the other end's Close says, and that the stream ends behind it.
#[track_caller]
fn closed(socket: &mut Socket) -> Option<CloseFrame> {
    let Message::Close(said) = next(socket) else { panic!("a Close was expected") };
    let ended = socket.read().unwrap_err();
    assert!(matches!(ended, Error::ConnectionClosed), "{ended}");
    said
}

pub fn play(address: &str, scenario: &str) {
    match scenario {
        "subprotocol" => {
            assert_eq!(connect_for(address, "v9, v1, v2").1.as_deref(), Some("v2"));
            let (mut socket, none) = connect_for(address, "");
            assert_eq!(none, None);
            echoes(&mut socket, Message::text("none"));
        }
        "text" => {
            let socket = &mut connect(address);
            let long = [62, 63, 40_000].map(|count| "é".repeat(count));
            for text in ["", "x", "héllo", "心跳线 💓", "\0"].into_iter().chain(long.iter().map(String::as_str)) {
                echoes(socket, Message::text(text));
            }
        }
        "binary" => {
            let socket = &mut connect(address);
            for size in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 131_073] {
                echoes(socket, Message::binary(bytes(size)));
            }
        }
        "fragments" => fragments(&mut connect(address)),
        "large" => {
            let socket = &mut connect(address);
            echoes(socket, Message::binary(bytes(16 * MIB)));
            let message = bytes(16 * MIB);
            for (at, payload) in message.chunks(MIB).enumerate() {
                let opcode = if at == 0 { Data::Binary } else { Data::Continue };
                socket.send(part(opcode, payload, at == 15)).unwrap();
            }
            assert!(next(socket).into_data() == message);
        }
        "too_large" => {
            let socket = &mut connect(address);
            // It may be told before all of it is sent.
            let _ = socket.send(Message::binary(vec![0; 16 * MIB + 1]));
            assert_eq!(closed(socket).unwrap().code, CloseCode::Size);
        }
        "pings" => pings(&mut connect(address)),
        "idle" => {
            let socket = &mut connect(address);
            for _ in 0..3 {
                assert!(matches!(socket.read().unwrap(), Message::Ping(_)), "a ping was expected");
                // It answers with the next that is sent.
                socket.flush().unwrap();
            }
            echoes(socket, Message::text("still here"));
        }
        "many" => {
            let socket = &mut connect(address);
            let messages: Vec<_> = (0..3000)
                .map(|at| format!("message {at}"))
                .map(|text| if text.len() % 2 == 0 { Message::binary(text) } else { Message::text(text) })
                .collect();
            for message in &messages {
                socket.write(message.clone()).unwrap();
            }
            socket.flush().unwrap();
            for message in messages {
                assert_eq!(next(socket), message);
            }
        }
        "closes" => {
            let long = "r".repeat(123);
            for (code, reason) in [(1000, ""), (1001, "going"), (3000, "心跳线"), (4999, &long)] {
                let socket = &mut connect(address);
                socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).unwrap();
                assert_eq!(closed(socket), Some(CloseFrame { code: code.into(), reason: "".into() }));
            }
            let socket = &mut connect(address);
            socket.close(None).unwrap();
            assert_eq!(closed(socket), None);
        }
        "closed_by_server" => {
            for code in [1000, 1001, 1012, 3000, 4999] {
                let socket = &mut connect(address);
                socket.send(Message::text(format!("!close {code}"))).unwrap();
                assert_eq!(closed(socket).unwrap().code, code.into());
            }
        }
        unknown => panic!("no scenario {unknown}"),
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// One byte each: characters are cut too. Every ping between is answered.
fn fragments(socket: &mut Socket) {
    for opcode in [Data::Text, Data::Binary] {
        let whole = "心跳线".as_bytes();
        for (at, byte) in whole.iter().enumerate() {
            let opcode = if at == 0 { opcode } else { Data::Continue };
            socket.send(part(opcode, &[*byte], false)).unwrap();
            socket.send(Message::Ping(vec![at as u8].into())).unwrap();
            assert_eq!(socket.read().unwrap(), Message::Pong(vec![at as u8].into()));
        }
        socket.send(part(Data::Continue, b"", true)).unwrap();
        let message = next(socket);
        assert_eq!((message.is_text(), &message.into_data()[..]), (opcode == Data::Text, whole));
    }
}

fn pings(socket: &mut Socket) {
    let pings: VecDeque<_> = (0..=125_u8).map(|at| vec![at; at.into()]).collect();
    for payload in &pings {
        socket.send(Message::Ping(payload.clone().into())).unwrap();
    }
    socket.send(Message::Pong("unasked".into())).unwrap();
    for payload in pings {
        assert_eq!(socket.read().unwrap(), Message::Pong(payload.into()));
    }
    echoes(socket, Message::text("still here"));
}

/// An echo server that takes orders.
pub struct Server {
    address: String,
    said: Receiver<String>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (says, said) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let says = says.clone();
                thread::spawn(move || serve(stream.unwrap(), &says));
            }
        });
        Self { address, said }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }

    pub fn line(&self) -> String {
        self.said.recv_timeout(PATIENCE).unwrap()
    }
}

fn serve(stream: TcpStream, says: &Sender<String>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut chosen = None;
    #[allow(clippy::result_large_err, reason = "its trait's")]
    let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let offered = request.headers().get(SUBPROTOCOL).map_or("", |offered| offered.to_str().unwrap());
        chosen = ["v2", "v1"].into_iter().find(|known| offered.split(',').any(|one| one.trim() == *known));
        if let Some(chosen) = chosen {
            response.headers_mut().insert(SUBPROTOCOL, HeaderValue::from_static(chosen));
        }
        Ok(response)
    };
    let mut socket = accept_hdr_with_config(stream, choose, Some(config())).unwrap();
    let mut last = None;
    loop {
        match socket.read() {
            Ok(Message::Text(text)) if text.starts_with('!') => obey(&mut socket, &text, chosen),
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).unwrap(),
            Ok(Message::Close(said)) => last = Some(said),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    let told = match last {
        None => "without a word".to_owned(),
        Some(None) => "1005".to_owned(),
        Some(Some(said)) => format!("{} {}", u16::from(said.code), said.reason),
    };
    let _ = says.send(format!("closed {told}"));
}

fn obey(socket: &mut Socket, text: &str, chosen: Option<&str>) {
    let (order, rest) = text.split_once(' ').unwrap_or((text, ""));
    match order {
        "!subprotocol" => socket.send(Message::text(chosen.unwrap_or("none"))).unwrap(),
        "!ping" => {
            socket.send(Message::Ping(rest.to_owned().into())).unwrap();
            assert_eq!(socket.read().unwrap(), Message::Pong(rest.to_owned().into()));
            socket.send(Message::text(format!("answered {rest}"))).unwrap();
        }
        "!fragments" => {
            for (at, byte) in "心跳线".bytes().enumerate() {
                socket.send(part(if at == 0 { Data::Text } else { Data::Continue }, &[byte], false)).unwrap();
                socket.send(Message::Ping("".into())).unwrap();
            }
            socket.send(part(Data::Continue, b"", true)).unwrap();
        }
        "!close" => {
            let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let code: u16 = code.parse().unwrap();
            socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).unwrap();
        }
        unknown => panic!("no order {unknown}"),
    }
}
