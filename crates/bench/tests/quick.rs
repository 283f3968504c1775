//! The benchmark runs from end to end and reports what it promises. Speed is not looked at.

use tidemill_bench::report::{FloorKind, Unit};
use tidemill_bench::run::{Options, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_run_reports_every_figure_beside_both_floors() {
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
            "put_records_1_kib_rate",
            "put_records_100_b_rate",
            "put_record_1_kib_p50",
            "put_record_1_kib_p99",
        ]
    );
    for measurement in &report.measurements {
        let name = &measurement.name;
        assert!(measurement.tidemill.median > 0.0, "{name}");
        let floors: Vec<FloorKind> = measurement.floors.iter().map(|floor| floor.floor).collect();
        assert_eq!(floors, [FloorKind::Http, FloorKind::Disk], "{name}");
        assert!(
            measurement
                .floors
                .iter()
                .all(|floor| floor.figure.median > 0.0),
            "{name}"
        );
        assert_eq!(
            name.ends_with("rate"),
            measurement.unit == Unit::RequestsPerSecond,
            "{name}"
        );
        assert_eq!(measurement.workload.shards, 4, "{name}");
    }
    assert!(report.machine.cores > 0);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .expect("is there")
        .collect();
    assert!(left.is_empty(), "what was written is removed: {left:?}");
}
