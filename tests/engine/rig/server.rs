//! A redis-server of its own: free port, empty directory, killed when dropped.

use super::DEADLINE;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tempfile::TempDir;

pub struct RedisServer {
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    process: Child,
}

/// A reply in the Redis protocol, version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Number(i64),
    Bytes(Vec<u8>),
    Error(String),
    Many(Vec<Reply>),
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further arguments, e.g. `["--maxmemory", "1mb"]`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_on(free_port(), tempfile::tempdir().expect("a directory"), arguments)
    }

    /// On this port, in this directory.
    pub fn start_on(port: u16, directory: TempDir, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = run(port, &directory, &arguments);
        let server = Self {
            port,
            directory,
            arguments,
            process,
        };
        server.wait();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`: whatever it held is lost.
    pub fn kill(&mut self) {
        self.process.kill().expect("kill redis-server");
        self.process.wait().expect("wait for redis-server");
    }

    /// A new, empty server on the same port.
    pub fn restart(&mut self) {
        self.process = run(self.port, &self.directory, &self.arguments);
        self.wait();
    }

    /// The same with further arguments, on what it has saved.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self.process = run(self.port, &self.directory, &self.arguments);
        self.listens();
    }

    /// SIGSTOP: the kernel still accepts connections and bytes, nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// From now on the replica gets nothing of what is changed here, and goes on asking for it.
    pub fn stop_replicating_to(&self, replica: &RedisServer) {
        // It is refused, because a server without a password takes none.
        replica.run("CONFIG SET masterauth refused");
        self.run("CLIENT KILL TYPE replica");
    }

    /// One command by a client that knows nothing of caches.
    pub fn command<const N: usize>(&self, arguments: [&[u8]; N]) -> Reply {
        self.execute(&arguments)
    }

    /// The same, of words that are known when it runs; an error is a panic.
    pub fn run(&self, words: &str) -> Reply {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        match self.execute(&words) {
            Reply::Error(error) => panic!("{:?}: {error}", String::from_utf8_lossy(&words.join(&b' '))),
            reply => reply,
        }
    }

    /// Commands between which nobody else comes.
    pub fn run_at_once(&self, commands: &[&str]) {
        let words = |line: &&str| encoded(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        let sent = self.send(&commands.iter().flat_map(words).collect::<Vec<_>>());
        let mut replies = sent.expect("a connection");
        for command in commands {
            let reply = read(&mut replies).expect("a reply");
            assert!(!matches!(reply, Reply::Error(_)), "{command:?}: {reply:?}");
        }
    }

    /// Whether there is such a key. A server that is being promoted closes all connections: then nobody knows, and it is `false`.
    pub fn has(&self, key: &str) -> bool {
        self.ask(&[b"EXISTS", key.as_bytes()])
            .is_ok_and(|reply| reply == Reply::Number(1))
    }

    fn execute(&self, arguments: &[&[u8]]) -> Reply {
        self.ask(arguments).expect("a reply")
    }

    fn ask(&self, arguments: &[&[u8]]) -> io::Result<Reply> {
        read(&mut self.send(&encoded(arguments))?)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<BufReader<TcpStream>> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.write_all(bytes)?;
        Ok(BufReader::new(socket))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.process.id().to_string()])
            .status();
        assert!(status.expect("run kill").success(), "kill {name}");
    }

    fn wait(&self) {
        self.listens();
        assert_eq!(self.command([b"PING"]), Reply::Bytes(b"PONG".to_vec()));
    }

    fn listens(&self) {
        let begin = Instant::now();
        while !self.answers() {
            assert!(
                begin.elapsed() < DEADLINE,
                "redis-server does not listen on {}",
                self.port
            );
            std::thread::yield_now();
        }
    }

    /// Not whoever has just looked whether the port is free.
    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|mut socket| {
            socket.write_all(&encoded(&[b"PING"])).is_ok() && socket.read(&mut [0]).is_ok_and(|bytes| bytes > 0)
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // SIGKILL ends a frozen process too.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago. It lies below those that the system gives to whoever names none, and is not given twice: so nobody
/// else takes it before it is used, nor while the server that has it is down.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin far from each other.
    let begin = std::process::id().wrapping_mul(347);
    (0..COUNT)
        .map(|_| begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
        .map(|port| u16::try_from(port).expect("below 32,000"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

fn run(port: u16, directory: &TempDir, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    if let Some(configuration) = arguments.first().filter(|first| first.ends_with(".conf")) {
        command.arg(directory.path().join(configuration));
    }
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(directory.path());
    if !arguments.iter().any(|argument| argument == "--sentinel") {
        command.args(["--save", "", "--appendonly", "no"]);
    }
    command.args(arguments.iter().filter(|argument| !argument.ends_with(".conf")));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|cause| {
        panic!("redis-server cannot be started ({cause}): install it, e.g. `apt-get install redis-server`")
    })
}

fn encoded(arguments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn read(from: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    let number = || rest.parse::<i64>().expect("a number");
    Ok(match kind {
        "+" => Reply::Bytes(rest.into()),
        "-" => Reply::Error(rest.into()),
        ":" => Reply::Number(number()),
        "$" if number() < 0 => Reply::Nil,
        "$" => {
            let mut bytes = vec![0; number() as usize + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Reply::Bytes(bytes)
        }
        "*" => Reply::Many((0..number()).map(|_| read(from)).collect::<io::Result<_>>()?),
        other => panic!("an unknown reply: {other}"),
    })
}
