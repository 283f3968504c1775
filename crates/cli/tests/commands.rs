//! The binary as a user meets it: what it prints where, and the status it ends with.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEMILL_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    tidemill(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A started server; killed when dropped.
struct Server {
    child: Child,
    endpoint: String,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(arguments: &[&str]) -> Server {
        let mut command = tidemill(&["start", "--port", "0"]);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("piped");
        let (found, endpoint) = std::sync::mpsc::sync_channel(1);
        // Read to its end, so that the server never waits for a reader.
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let reader = move || {
            for line in lines {
                let place = line.split_once("serves ").map(|(_, rest)| rest.to_owned());
                if let Some(rest) = place {
                    let _ = found.send(rest.split(',').next().unwrap_or_default().to_owned());
                }
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a test reads a pipe beside its own work"
        )]
        std::thread::spawn(reader);
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "Ready.\n");
        let endpoint = endpoint.recv().expect("the endpoint is told before");
        Server {
            child,
            endpoint,
            stdout,
        }
    }

    fn stop(mut self, signal: &str) -> (i32, String) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([signal, &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        (status.code().expect("it ends by itself"), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("readable")
}

#[test]
fn start_says_ready_alone_on_standard_output_and_stops_at_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(&["--ephemeral"]);
        let ledger = run(&["ledger", "--endpoint", &server.endpoint]);
        assert_eq!(ledger.status.code(), Some(0), "{}", text(&ledger.stderr));
        assert_eq!(server.stop(signal), (0, String::new()), "{signal}");
    }
}

#[test]
fn a_port_in_use_is_told_with_the_next_command() {
    let server = Server::start(&["--ephemeral"]);
    let port = server
        .endpoint
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let second = run(&["start", "--ephemeral", "--port", &port]);
    let stderr = text(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains(&port) && stderr.contains("try: "),
        "{stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(text(&second.stdout), "");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_told_with_the_next_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "x").expect("writes");
    let below_a_file = file.join("data");
    let data = directory.path().join("data");
    let server = Server::start(&["--data-dir", path(&data)]);
    for place in [&data, &below_a_file, &file] {
        let second = run(&["start", "--port", "0", "--data-dir", path(place)]);
        let stderr = text(&second.stderr);
        assert_eq!(second.status.code(), Some(3), "{stderr}");
        assert!(
            stderr.contains(path(place)) && stderr.contains("try: "),
            "{stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    assert_eq!(server.stop("-TERM").0, 0);
}

#[test]
fn a_stopped_server_starts_again_on_its_data() {
    let directory = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let server = Server::start(&["--data-dir", path(directory.path())]);
        assert_eq!(server.stop("-TERM").0, 0);
    }
}

#[test]
fn wrong_usage_ends_with_status_2() {
    for arguments in [
        ["start", "--limits", "some"].as_slice(),
        &["start", "--ephemeral", "--data-dir", "d"],
        &["ledger", "--endpoint", "https://host"],
        &["demo", "--endpoint", "nowhere"],
        &["grind"],
        &[],
    ] {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_told_in_both_forms() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", free.local_addr().expect("bound"));
    drop(free);
    for command in ["ledger", "demo"] {
        let output = run(&[command, "--endpoint", &endpoint, "--json"]);
        assert_eq!(output.status.code(), Some(3), "{command}");
        let envelope: serde_json::Value = serde_json::from_slice(&output.stdout).expect("is JSON");
        assert_eq!(envelope["schema_version"], 1);
        assert_eq!(
            (&envelope["command"], &envelope["status"]),
            (&command.into(), &"error".into())
        );
        let message = envelope["error"]["message"].as_str().expect("a message");
        assert!(message.contains(&endpoint), "{message}");
        assert!(
            text(&output.stderr).contains("try: "),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn help_opens_with_examples() {
    for arguments in [
        ["--help"].as_slice(),
        &["start", "--help"],
        &["demo", "--help"],
        &["bench", "--help"],
        &["bench", "log", "--help"],
        &["bench", "views", "--help"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            text(&output.stdout).starts_with("Examples:\n  tidemill "),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_quick_benchmark_of_the_log_measures_every_part() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("is text");
    let output = run(&["bench", "log", "--quick", "--json", "--dir", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let envelope: serde_json::Value = serde_json::from_str(&text(&output.stdout)).expect("is JSON");
    assert_eq!(envelope["command"], "bench log");
    let data = &envelope["data"];
    let in_flight = data["puts"].as_array().expect("a list").iter();
    let in_flight: Vec<_> = in_flight.map(|one| one["in_flight"].as_u64()).collect();
    assert_eq!(in_flight, [Some(1), Some(16), Some(1)]);
    assert!(data["puts"][1]["over_floor"][0].as_f64() > Some(0.0));
    assert!(data["tail_read"]["records_per_second"]["median"].as_f64() > Some(0.0));
    assert_eq!(data["held"]["memory"]["filled"]["partitions"], 100);
    let restart = &data["held"]["restart"];
    assert!(restart["first_put_seconds"].as_f64() >= restart["open_seconds"].as_f64());
    assert!(restart["write_amplification"].as_f64() >= Some(1.0));
    let left: Vec<_> = std::fs::read_dir(path).expect("is there").collect();
    assert!(left.is_empty(), "what was written is removed: {left:?}");
}

#[cfg(feature = "views")]
#[test]
fn a_quick_benchmark_of_views_measures_every_part() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("is text");
    let arguments = ["bench", "views", "--quick", "--json", "--dir", path];
    let output = run(&[&arguments[..], &["--python", "/no/python"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let envelope: serde_json::Value = serde_json::from_str(&text(&output.stdout)).expect("is JSON");
    assert_eq!(envelope["command"], "bench views");
    let data = &envelope["data"];
    let is_some = |value: &serde_json::Value| value.as_f64() > Some(0.0);
    assert!(is_some(&data["ingest"]["records_per_second"]["median"]));
    assert!(is_some(&data["ingest"]["floors"]["adding"]["median"]));
    let ways = |part: &str, of: &str| {
        let all = data[part].as_array().expect("a list").iter();
        all.map(|one| one[of].to_string()).collect::<Vec<_>>()
    };
    let (demanded, polled) = ("\"demanded\"", "\"polled\"");
    assert_eq!(
        ways("freshness", "way"),
        [demanded, polled, demanded, polled]
    );
    assert_eq!(
        ways("merged", "is_after_a_record"),
        ["false", "false", "true", "true"]
    );
    assert_eq!(ways("merged", "behind"), ["300"; 4]);
    assert_eq!(ways("lookups", "way"), ["\"rows\"", "\"sql\""]);
    assert!(is_some(&data["lookups"][0]["over_floor"][1]));
    assert_eq!(data["recompute"]["records"], 5000);
    assert!(data["recompute"]["duckdb"].is_null());
    let rebuild = &data["rebuild"];
    assert!(
        rebuild["answer_seconds"]["median"].as_f64() >= rebuild["ready_seconds"]["median"].as_f64()
    );
    let warnings = envelope["warnings"].to_string();
    assert!(
        warnings.contains("DuckDB was not measured: /no/python"),
        "{warnings}"
    );
    let left: Vec<_> = std::fs::read_dir(path).expect("is there").collect();
    assert!(left.is_empty(), "what was written is removed: {left:?}");
}
