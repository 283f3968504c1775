//! The demo's verdict, against a server that was started and one that is embedded.

use std::process::{Command, Stdio};

use serde_json::Value;

fn demo(arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["demo", "--json"]).args(arguments).stdin(Stdio::null());
    let output = command.output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let envelope = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}\n{stderr}", String::from_utf8_lossy(&output.stdout))
    });
    (output.status.code(), envelope, stderr)
}

#[test]
fn every_flight_is_accounted_for() {
    let (status, envelope, stderr) = demo(&[]);
    assert_eq!(status, Some(0), "{envelope}\n{stderr}");
    assert_eq!(envelope["status"], "ok");
    let data = &envelope["data"];
    let totals = &data["careful"]["totals"];
    assert_eq!((&totals["processed"], &totals["dead_lettered"]), (&26_398.into(), &606.into()));
    assert_eq!(totals["pending"], 0);
    assert_eq!((&data["queue"]["records"], &data["queue"]["rows"]), (&606.into(), &606.into()));
    assert!(data["producer"]["throttled"].as_u64() > Some(0), "real limits throttle: {data}");
    let shards = data["defaults"]["shards"].as_array().expect("shards");
    assert_eq!(shards.len(), 4);
    for shard in shards {
        assert!(shard["pending"].as_u64() > Some(0), "{shard}");
        assert!(shard["blocked"]["since"].is_string(), "{shard}");
    }
    assert_eq!(data["next"].as_array().map(Vec::len), Some(3));
}
