//! A receiver of notifications: chat robot, webhook or ntfy server. It keeps every request with the moment at which it came, and answers
//! as it is told: rightly, too late, never, or with a lie.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Result;
use serde_json::Value;
use tokio::time::Instant;

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// It is taken, as a receiver of its kind says it.
    Take,
    /// The connection ends before a word is read.
    Dead,
    /// It is read, and never answered.
    Silent,
    /// This status and body.
    Say(u16, String),
    /// Status 503 and so many seconds of patience asked for.
    Busy(u32),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When it came.
    pub at: Instant,
    /// Its path and query.
    pub path: String,
    /// Its fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Value,
    /// Whether it was taken.
    pub taken: bool,
}

/// A running receiver; it ends with the test's process.
pub struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    letters: Vec<Letter>,
    /// Connections that are left open without an answer.
    held: Vec<TcpStream>,
}

impl Letter {
    /// A field, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The id under which a repeat comes again.
    pub fn id(&self) -> &str {
        self.header("idempotency-key")
    }

    /// The text, in whatever form the receiver has it.
    pub fn text(&self) -> String {
        let places = ["/text/content", "/content/text", "/message", "/data/text"];
        let found = places.iter().find_map(|place| self.body.pointer(place)).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    }
}

impl Receiver {
    /// Starts one that takes everything.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State { mood: Mood::Take, letters: Vec::new(), held: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { url, state })
    }

    /// Its address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it answers so.
    pub fn feel(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Everything that came, in order.
    pub fn letters(&self) -> Vec<Letter> {
        self.lock().letters.clone()
    }

    /// What came to a path.
    pub fn letters_to(&self, path: &str) -> Vec<Letter> {
        let mut letters = self.letters();
        letters.retain(|letter| letter.path.split('?').next() == Some(path));
        letters
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    if lock().mood == Mood::Dead {
        return;
    }
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = lock();
    let mood = state.mood.clone();
    let taken = mood == Mood::Take;
    state.letters.push(Letter { at: Instant::now(), path: path.clone(), headers, body, taken });
    if mood == Mood::Silent {
        state.held.push(reader.into_inner());
        return;
    }
    drop(state);
    let (status, more, said) = match mood {
        Mood::Say(status, said) => (status, String::new(), said),
        Mood::Busy(seconds) => (503, format!("retry-after: {seconds}\r\n"), String::new()),
        _ => (200, String::new(), right_answer(&path).to_owned()),
    };
    let answer =
        format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n{said}", said.len());
    // The hub may be dead by now.
    let _ = reader.get_mut().write_all(answer.as_bytes());
}

/// What a receiver of the kind that the path names says to what it takes.
fn right_answer(path: &str) -> &'static str {
    match path.split(['/', '?']).nth(1) {
        Some("feishu") => r#"{"code":0,"msg":"success","data":{}}"#,
        Some("") => r#"{"id":"x1","event":"message"}"#,
        _ => r#"{"errcode":0,"errmsg":"ok"}"#,
    }
}
