//! Enhanced monitoring, switched on and off.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::Settings;

use crate::fixture::*;
use crate::{assert_refused, call};

fn enable(metrics: &[MetricsName]) -> EnableEnhancedMonitoringInput {
    EnableEnhancedMonitoringInput {
        stream_name: Some("s".into()),
        shard_level_metrics: metrics.to_vec(),
        stream_arn: None,
        stream_id: None,
    }
}

fn disable(metrics: &[MetricsName]) -> DisableEnhancedMonitoringInput {
    DisableEnhancedMonitoringInput {
        stream_name: Some("s".into()),
        shard_level_metrics: metrics.to_vec(),
        stream_arn: None,
        stream_id: None,
    }
}

fn shown(output: &EnhancedMonitoringOutput) -> (Vec<MetricsName>, Vec<MetricsName>) {
    let current = output.current_shard_level_metrics.clone();
    let desired = output.desired_shard_level_metrics.clone();
    (current.expect("given"), desired.expect("given"))
}

async fn described(f: &Fixture) -> Vec<MetricsName> {
    let mut monitoring = f.describe("s").await.enhanced_monitoring;
    assert_eq!(monitoring.len(), 1);
    monitoring.remove(0).shard_level_metrics.expect("given")
}

#[tokio::test]
async fn metrics_are_switched_on_and_off_and_shown_before_and_after() {
    use MetricsName::{All, IncomingBytes, IncomingRecords, OutgoingBytes};
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    assert_eq!(described(&f).await, []);

    let output = call!(f, enable_enhanced_monitoring, enable(&[OutgoingBytes])).expect("on");
    assert_eq!(output.stream_name.as_deref(), Some("s"));
    assert_eq!(output.stream_arn, Some(f.arn("s").to_string()));
    assert_eq!(shown(&output), (vec![], vec![OutgoingBytes]));

    let more = [IncomingBytes, OutgoingBytes];
    let output = call!(f, enable_enhanced_monitoring, enable(&more)).expect("on");
    assert_eq!(shown(&output), (vec![OutgoingBytes], more.to_vec()));
    f.restart().await;
    assert_eq!(described(&f).await, more);

    let output = call!(f, enable_enhanced_monitoring, enable(&[All])).expect("on");
    let (current, desired) = shown(&output);
    assert_eq!((current.len(), desired.len()), (2, 7));
    let output = call!(f, disable_enhanced_monitoring, disable(&[IncomingRecords])).expect("off");
    let (current, desired) = shown(&output);
    assert_eq!((current.len(), desired.len()), (7, 6));
    let output = call!(f, disable_enhanced_monitoring, disable(&[All])).expect("off");
    assert_eq!(shown(&output), (desired, vec![]));
    assert_eq!(described(&f).await, []);
}

#[tokio::test]
async fn only_an_active_stream_is_monitored_anew_and_five_times_a_second() {
    let f = Fixture::with(Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await;
    let all = [MetricsName::All];
    assert_refused!(
        call!(f, enable_enhanced_monitoring, enable(&all)),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    f.create("s", 1).await;
    f.advance_secs(30);
    call!(f, enable_enhanced_monitoring, enable(&all)).expect("on");
    for _ in 0..3 {
        assert_refused!(
            call!(f, enable_enhanced_monitoring, enable(&all)),
            "ResourceInUseException",
            "Stream s under account 000000000000 not ACTIVE, instead in state UPDATING"
        );
    }
    call!(f, enable_enhanced_monitoring, enable(&all)).expect_err("the fifth");
    assert_refused!(
        call!(f, enable_enhanced_monitoring, enable(&all)),
        "LimitExceededException",
        "Rate exceeded for stream s under account 000000000000."
    );
}
