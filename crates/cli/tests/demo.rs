//! The demo's verdict: with a server of its own, and against one that is killed in the middle.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn tidemill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEMILL_")) {
        command.env_remove(name);
    }
    command
}

/// What must be so in every run.
fn check(envelope: &Value, stderr: &str) {
    assert_eq!(envelope["status"], "ok", "{envelope}\n{stderr}");
    let data = &envelope["data"];
    assert_eq!(
        (&data["file"]["rows"], &data["file"]["incomplete"]),
        (&27_004.into(), &606.into())
    );
    assert_eq!(data["queue"]["rows"], 606);
    assert_eq!(data["stream_holds"]["missing"], 0);
    assert_eq!(data["careful"]["totals"]["pending"], 0);
    let shards = data["defaults"]["shards"].as_array().expect("shards");
    assert_eq!(shards.len(), 4);
    for shard in shards {
        assert!(shard["pending"].as_u64() > Some(0), "{shard}");
        assert!(shard["blocked"]["since"].is_string(), "{shard}");
    }
    let landings = &data["landings"];
    assert_eq!(
        (&landings["flights"], &landings["wrong"]),
        (&14_828.into(), &0.into())
    );
    assert!(landings["records"].as_u64() >= Some(14_828), "{landings}");
    assert!(
        landings["answers_meanwhile"].as_u64() > Some(0),
        "{landings}"
    );
    assert!(
        landings["time_boundary"]["wrong_buckets"].as_u64() > Some(0),
        "{landings}"
    );
    assert_eq!(data["next"].as_array().map(Vec::len), Some(3));
}

#[test]
fn every_flight_is_accounted_for() {
    let output = tidemill()
        .args(["demo", "--json"])
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let envelope: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    check(&envelope, &stderr);
    let data = &envelope["data"];
    let totals = &data["careful"]["totals"];
    assert_eq!(
        (&totals["processed"], &totals["dead_lettered"]),
        (&26_398.into(), &606.into())
    );
    assert_eq!(
        (&data["queue"]["records"], &data["queue"]["messages"]),
        (&606.into(), &606.into())
    );
    assert!(
        data["producer"]["throttled"].as_u64() > Some(0),
        "real limits throttle: {data}"
    );
}

/// A server on its directory and port; killed when dropped, without a chance to tidy up.
struct Server(Child);

impl Server {
    fn start(directory: &Path, port: u16) -> Server {
        let mut command = tidemill();
        command
            .args(["start", "--port", &port.to_string(), "--data-dir"])
            .arg(directory);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "Ready.\n");
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // On Unix this is SIGKILL.
        self.0.kill().expect("it still runs");
        self.0.wait().expect("it ends");
    }
}

#[test]
fn nothing_acknowledged_is_missing_after_the_server_was_killed_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("bound").port();
    drop(free);

    let mut server = Server::start(directory.path(), port);
    let mut command = tidemill();
    command.args([
        "demo",
        "--json",
        "--endpoint",
        &format!("http://127.0.0.1:{port}"),
    ]);
    let mut demo = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut told = String::new();
    let stderr = BufReader::new(demo.stderr.take().expect("piped"));
    for line in stderr.lines().map_while(Result::ok) {
        // First in the midst of putting, then in the midst of processing.
        let is_midway = ["Putting flights on the stream: ", "Processing: "]
            .iter()
            .any(|step| {
                let begun = line.starts_with(step) && line.contains(" of ");
                begun && !told.contains(step)
            });
        told += &format!("{line}\n");
        if is_midway {
            drop(server);
            server = Server::start(directory.path(), port);
        }
    }
    let mut printed = String::new();
    let stdout = demo.stdout.take().expect("piped");
    BufReader::new(stdout)
        .read_to_string(&mut printed)
        .expect("text");
    let status = demo.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{printed}\n{told}");
    check(&serde_json::from_str(&printed).expect("is JSON"), &told);
    drop(server);
}
