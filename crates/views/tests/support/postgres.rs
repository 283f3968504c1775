//! A client of Postgres that is as small as the protocol allows: texts in, texts out.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection.
pub struct Client {
    socket: TcpStream,
}

/// What a statement, or several of them, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The names of the columns of the last rows.
    pub columns: Vec<String>,
    /// All rows.
    pub rows: Vec<Vec<Option<String>>>,
    /// What was done.
    pub tags: Vec<String>,
    /// Notices.
    pub notices: Vec<String>,
    /// Code, text and hint of an error.
    pub error: Option<(String, String, String)>,
    /// `I`, `T` or `E`: where the transaction stands.
    pub status: char,
}

impl Told {
    /// The value of the only row and column.
    pub fn value(&self) -> &str {
        assert_eq!(self.error, None);
        match self.rows.as_slice() {
            [row] => row[0].as_deref().expect("it is not null"),
            rows => panic!("one row, and not {rows:?}"),
        }
    }
}

impl Client {
    /// Connects, or says why not.
    pub fn connect(address: SocketAddr, parameters: &[(&str, &str)]) -> Result<Client, Box<Told>> {
        let socket = TcpStream::connect(address).expect("somebody listens");
        let patience = Some(Duration::from_secs(60));
        socket.set_read_timeout(patience).expect("it can be set");
        let mut client = Client { socket };
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        body.push(0);
        let length = (body.len() as u32 + 4).to_be_bytes();
        // Whoever is turned away may be told before it has said anything.
        let _ = client.socket.write_all(&[&length[..], &body].concat());
        let told = client.told();
        if told.error.is_some() {
            Err(Box::new(told))
        } else {
            Ok(client)
        }
    }

    /// Runs `text` by the simple protocol.
    pub fn simple(&mut self, text: &str) -> Told {
        self.send(b'Q', &[text.as_bytes(), b"\0"].concat());
        self.told()
    }

    /// Runs `text` with parameters by the extended protocol.
    pub fn extended(&mut self, text: &str, parameters: &[Option<&str>]) -> Told {
        self.send(b'P', &[b"\0", text.as_bytes(), b"\0\0\0"].concat());
        let mut bind = vec![0, 0, 0, 0];
        bind.extend((parameters.len() as u16).to_be_bytes());
        for parameter in parameters {
            match parameter {
                None => bind.extend((-1_i32).to_be_bytes()),
                Some(text) => {
                    bind.extend((text.len() as u32).to_be_bytes());
                    bind.extend(text.as_bytes());
                }
            }
        }
        bind.extend([0, 0]);
        self.send(b'B', &bind);
        self.send(b'D', b"P\0");
        self.send(b'E', &[0, 0, 0, 0, 0]);
        self.send(b'S', b"");
        self.told()
    }

    /// Sends bytes that mean nothing.
    pub fn send(&mut self, kind: u8, body: &[u8]) {
        let length = (body.len() as u32 + 4).to_be_bytes();
        let message = [&[kind][..], &length, body].concat();
        self.socket.write_all(&message).expect("it is connected");
    }

    /// What comes until the server is ready again, or has hung up.
    pub fn told(&mut self) -> Told {
        let mut told = Told {
            status: '-',
            ..Told::default()
        };
        while let Some((kind, body)) = self.message() {
            match kind {
                b'T' => told.columns = columns(&body),
                b'D' => told.rows.push(row(&body)),
                b'C' => told.tags.push(text(&mut body.into())),
                b'N' => told.notices.push(fields(&body).1),
                b'E' => told.error = Some(fields(&body)),
                b'Z' => {
                    told.status = body[0].into();
                    break;
                }
                _ => {}
            }
        }
        told
    }

    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.socket.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
        self.socket.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }
}

fn text(body: &mut VecDeque<u8>) -> String {
    let bytes = std::iter::from_fn(|| body.pop_front().filter(|byte| *byte != 0));
    String::from_utf8(bytes.collect()).expect("it is UTF-8")
}

fn number(body: &mut VecDeque<u8>, bytes: usize) -> i32 {
    let digits = body.drain(..bytes);
    let number = digits.fold(0_u32, |number, byte| number << 8 | u32::from(byte));
    number as i32
}

fn columns(body: &[u8]) -> Vec<String> {
    let mut body: VecDeque<u8> = body.to_vec().into();
    let count = number(&mut body, 2);
    let column = |_| {
        let name = text(&mut body);
        body.drain(..18);
        name
    };
    (0..count).map(column).collect()
}

fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut body: VecDeque<u8> = body.to_vec().into();
    let count = number(&mut body, 2);
    let value = |_| {
        let length = usize::try_from(number(&mut body, 4)).ok()?;
        let bytes = body.drain(..length).collect();
        Some(String::from_utf8(bytes).expect("it is UTF-8"))
    };
    (0..count).map(value).collect()
}

/// Code, text and hint.
fn fields(body: &[u8]) -> (String, String, String) {
    let mut body: VecDeque<u8> = body.to_vec().into();
    let mut fields = (String::new(), String::new(), String::new());
    while let Some(kind) = body.pop_front().filter(|kind| *kind != 0) {
        let value = text(&mut body);
        match kind {
            b'C' => fields.0 = value,
            b'M' => fields.1 = value,
            b'H' => fields.2 = value,
            _ => {}
        }
    }
    fields
}
