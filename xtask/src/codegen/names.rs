//! Names: AWS's spelling to Rust's.

/// `StreamARN` to `stream_arn`, `MaxRecordSizeInKiB` to `max_record_size_in_kib`.
pub fn field(name: &str) -> String {
    let name = name.replace("KiB", "Kib").replace("MiBps", "Mibps");
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_uppercase();
        let before_lower = letters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && index > 0 && (after_lower || before_lower) {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    if ["type", "match", "ref", "use", "in"].contains(&text.as_str()) {
        format!("r#{text}")
    } else {
        text
    }
}

/// `StreamName` to `streamName`: how AWS's messages spell a member.
pub fn lower_camel(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// An enum's value to a variant: `TRIM_HORIZON` to `TrimHorizon`, `python3.12` to `Python312`.
pub fn variant(value: &str) -> String {
    let mut text = String::new();
    for word in value.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let shouting = word.chars().all(|letter| !letter.is_lowercase());
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            // Two numbers side by side must stay apart: nodejs4.3 and nodejs43.
            if first.is_ascii_digit() && text.ends_with(|last: char| last.is_ascii_digit()) {
                text.push('_');
            }
            text.extend(first.to_uppercase());
            let rest = letters.as_str();
            text.push_str(&if shouting {
                rest.to_lowercase()
            } else {
                rest.to_owned()
            });
        }
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        format!("V{text}")
    } else {
        text
    }
}

/// A shape to the name of its static rules: `StreamName` to `RULES_STREAM_NAME`.
pub fn rules(shape: &str) -> String {
    format!("RULES_{}", field(shape).replace("r#", "").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_snake_case() {
        let cases = [
            ("StreamARN", "stream_arn"),
            ("UUID", "uuid"),
            ("MaxRecordSizeInKiB", "max_record_size_in_kib"),
            ("S3Bucket", "s3_bucket"),
            ("KMSKeyArn", "kms_key_arn"),
            ("MD5OfMessageBody", "md5_of_message_body"),
            ("Type", "r#type"),
            ("retryAfterSeconds", "retry_after_seconds"),
            ("VpcConfig", "vpc_config"),
        ];
        for (name, expected) in cases {
            assert_eq!(field(name), expected);
        }
    }

    #[test]
    fn variants_are_in_camel_case() {
        let cases = [
            ("TRIM_HORIZON", "TrimHorizon"),
            ("python3.12", "Python3_12"),
            ("LATEST", "Latest"),
            ("x86_64", "X86_64"),
            ("ReportBatchItemFailures", "ReportBatchItemFailures"),
            ("provided.al2023", "ProvidedAl2023"),
        ];
        for (value, expected) in cases {
            assert_eq!(variant(value), expected);
        }
    }
}
