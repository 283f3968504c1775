//! The benchmark runs from end to end and reports what it promises. Speed is not looked at.

use tidemill_bench::report::Kind;
use tidemill_bench::streams::{Options, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_run_reports_every_workload_beside_both_floors() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::quick(directory.path().to_path_buf());
    let mut steps = 0;
    let report = run(&options, |_| steps += 1)
        .await
        .expect("the benchmark runs");

    assert_eq!(steps, options.steps());
    assert_eq!(report.rounds, options.rounds);
    let names: Vec<&str> = report
        .measurements
        .iter()
        .map(|measurement| measurement.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "put_records_1_kib_2",
            "put_records_100_b_2",
            "put_record_1_kib_2",
            "get_records_1_kib_2",
        ]
    );
    for measurement in &report.measurements {
        let name = &measurement.name;
        let kinds: Vec<Kind> = measurement
            .results
            .iter()
            .map(|result| result.kind)
            .collect();
        assert_eq!(
            kinds,
            [Kind::Tidemill, Kind::HttpFloor, Kind::NecessaryFloor],
            "{name}"
        );
        for result in &measurement.results {
            assert!(result.records_per_second.median > 0.0, "{name} {result:?}");
            assert!(result.p99_us.median >= result.p50_us.median, "{name}");
        }
        assert_eq!(measurement.workload.shards, 32, "{name}");
    }
    assert!(report.machine.cores > 0);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .expect("is there")
        .collect();
    assert!(left.is_empty(), "what was written is removed: {left:?}");
}
