//! What a request may ask for, parameter by parameter.

use bytes::Bytes;

use tidemill_shapes::lambda::EphemeralStorage;

use super::*;

fn arn() -> FunctionArn {
    "arn:aws:lambda:us-east-1:123456789012:function:f"
        .parse()
        .expect("a literal ARN")
}

fn input() -> CreateFunctionInput {
    CreateFunctionInput {
        function_name: "f".into(),
        role: "arn:aws:iam::123456789012:role/r".into(),
        runtime: Some("python3.12".to_owned()),
        handler: Some("a.b".into()),
        code: FunctionCode {
            zip_file: Some(Bytes::from_static(b"zip")),
            ..FunctionCode::default()
        },
        ..CreateFunctionInput::default()
    }
}

fn asked(change: impl FnOnce(&mut CreateFunctionInput)) -> Result<Configuration, String> {
    let mut input = input();
    change(&mut input);
    let code = Code {
        blob: "0".repeat(64),
        size: 3,
    };
    created_zip(&input)
        .and_then(|_| configuration(&input, arn(), code))
        .map_err(|refused| refused.message)
}

#[test]
fn what_is_left_out_has_awss_defaults() {
    let configuration = asked(|_| ()).expect("all that is needed is there");
    assert_eq!(configuration.timeout_seconds, 3);
    assert_eq!(configuration.memory_mb, 128);
    assert_eq!(configuration.ephemeral_storage_mb, 512);
    assert_eq!(configuration.architecture, "x86_64");
    assert_eq!(
        (configuration.variables, configuration.log_group),
        (None, None)
    );
}

#[test]
fn a_parameter_without_effect_is_refused_by_its_name() {
    type Change = fn(&mut CreateFunctionInput);
    let cases: [(&str, Change); 13] = [
        ("AWS_LAMBDA_EXEC_WRAPPER", |input| {
            let wrapper = ("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/w".to_owned());
            input.environment = Some(Environment {
                variables: Some([wrapper].into()),
            });
        }),
        ("VpcConfig", |input| {
            let subnet_ids = Some(vec!["subnet-1".into()]);
            input.vpc_config = Some(VpcConfig {
                subnet_ids,
                ..VpcConfig::default()
            });
        }),
        ("Layers", |input| {
            input.layers = Some(vec!["arn:layer".into()])
        }),
        ("DeadLetterConfig", |input| {
            input.dead_letter_config = Some(DeadLetterConfig {
                target_arn: Some("arn:q".into()),
            });
        }),
        ("SnapStart", |input| {
            input.snap_start = Some(SnapStart {
                apply_on: Some(SnapStartApplyOn::PublishedVersions),
            });
        }),
        ("KMSKeyArn", |input| {
            input.kms_key_arn = Some("arn:key".into())
        }),
        ("TracingConfig", |input| {
            input.tracing_config = Some(TracingConfig {
                mode: Some(TracingMode::Active),
            });
        }),
        ("Publish", |input| input.publish = Some(true)),
        ("LoggingConfig.LogFormat", |input| {
            let log_format = Some(LogFormat::Json);
            input.logging_config = Some(LoggingConfig {
                log_format,
                ..LoggingConfig::default()
            });
        }),
        ("S3Bucket", |input| input.code.s3_bucket = Some("b".into())),
        ("ImageUri", |input| input.code.image_uri = Some("i".into())),
        ("PackageType", |input| {
            input.package_type = Some(PackageType::Image)
        }),
        ("nodejs22.x", |input| {
            input.runtime = Some("nodejs22.x".to_owned())
        }),
    ];
    for (parameter, change) in cases {
        let message = asked(change).expect_err(parameter);
        assert!(
            message.contains(parameter) && message.contains("Tidemill"),
            "{parameter}: {message}"
        );
    }
}

#[test]
fn a_parameter_without_effect_may_have_its_default() {
    let taken = asked(|input| {
        input.vpc_config = Some(VpcConfig {
            subnet_ids: Some(Vec::new()),
            ..VpcConfig::default()
        });
        input.layers = Some(Vec::new());
        input.dead_letter_config = Some(DeadLetterConfig {
            target_arn: Some(String::new()),
        });
        input.snap_start = Some(SnapStart {
            apply_on: Some(SnapStartApplyOn::None),
        });
        input.tracing_config = Some(TracingConfig {
            mode: Some(TracingMode::PassThrough),
        });
        input.publish = Some(false);
        input.kms_key_arn = Some(String::new());
        input.logging_config = Some(LoggingConfig {
            log_format: Some(LogFormat::Text),
            log_group: Some("own".into()),
            ..LoggingConfig::default()
        });
    });
    assert_eq!(taken.expect("all defaults").log_group, Some("own".into()));
}

#[test]
fn values_out_of_bounds_are_refused() {
    type Change = fn(&mut CreateFunctionInput);
    let cases: [(&str, Change); 5] = [
        ("timeout", |input| input.timeout = Some(901)),
        ("memorySize", |input| input.memory_size = Some(127)),
        ("ephemeralStorage", |input| {
            input.ephemeral_storage = Some(EphemeralStorage { size: 511 })
        }),
        ("Architectures", |input| {
            input.architectures = Some(vec![Architecture::X86_64, Architecture::Arm64]);
        }),
        ("Runtime and Handler", |input| input.handler = None),
    ];
    for (named, change) in cases {
        let message = asked(change).expect_err(named);
        assert!(message.contains(named), "{named}: {message}");
    }
}

#[test]
fn an_empty_map_of_variables_is_kept_apart_from_none() {
    let given = asked(|input| {
        input.environment = Some(Environment {
            variables: Some(BTreeMap::new()),
        });
    });
    assert_eq!(
        given.expect("nothing reserved").variables,
        Some(BTreeMap::new())
    );
}

#[test]
fn an_update_changes_only_what_it_names() {
    let input = UpdateFunctionConfigurationInput {
        timeout: Some(7),
        ..Default::default()
    };
    let expected = Changes {
        timeout_seconds: Some(7),
        ..Changes::default()
    };
    assert_eq!(changes(&input), Ok(expected));
    let refused = UpdateFunctionConfigurationInput {
        layers: Some(vec!["l".into()]),
        ..Default::default()
    };
    assert!(changes(&refused).is_err());
}
