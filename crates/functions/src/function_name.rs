//! How a function is named in a request: [`FunctionName`], taken apart and placed.
//!
//! AWS takes a bare name, `<account>:function:<name>` and a whole ARN, each with or without a
//! qualifier, and a qualifier of its own beside it. What must hold: two qualifiers agree, the region
//! is the caller's, and only `$LATEST` exists.

use thiserror::Error;

use tidemill_model::{AccountId, FunctionArn, Region};

/// The only version there is.
pub const LATEST: &str = "$LATEST";

/// Why a name leads to no function.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misnamed {
    /// The text has none of the accepted forms.
    #[error("{text:?} is not a function name, a partial ARN or a function ARN")]
    Malformed {
        /// What was read.
        text: String,
    },
    /// The qualifier in the name and the one beside it differ.
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    QualifiersDiffer,
    /// The ARN names another region.
    #[error("Functions from '{region}' are not reachable in this region ('{here}')")]
    ForeignRegion {
        /// The region named.
        region: Region,
        /// The region of the request.
        here: Region,
    },
    /// The ARN names another account, or a version or an alias that does not exist.
    #[error("Function not found: {arn}")]
    NotFound {
        /// The function asked for.
        arn: FunctionArn,
    },
}

/// A name taken apart; what it leaves open is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FunctionName<'a> {
    region: Option<&'a str>,
    account: Option<AccountId>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

fn looks_like_a_region(text: &str) -> bool {
    // As AWS's own pattern has it: letters, a place, one digit.
    let mut parts = text.rsplitn(2, '-');
    let digit = parts
        .next()
        .is_some_and(|last| last.len() == 1 && last.as_bytes()[0].is_ascii_digit());
    digit && parts.next().is_some_and(|rest| rest.contains('-'))
}

fn parse(text: &str) -> Option<FunctionName<'_>> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let mut region = None;
    if parts[0] == "arn" {
        let is_function = parts.len() >= 7
            && parts[1].starts_with("aws")
            && parts[2] == "lambda"
            && parts[5] == "function";
        if !is_function {
            return None;
        }
        region = Some(parts[3]);
        parts.drain(..4);
    } else if parts.len() > 2 && looks_like_a_region(parts[0]) {
        region = Some(parts.remove(0));
    }
    let account = match parts[0].parse::<AccountId>() {
        Ok(account) if parts.len() > 1 => {
            parts.remove(0);
            Some(account)
        }
        _ => None,
    };
    if parts[0] == "function" && parts.len() > 1 {
        parts.remove(0);
    }
    let (name, qualifier) = match parts[..] {
        [name] => (name, None),
        [name, qualifier] => (name, Some(qualifier)),
        _ => return None,
    };
    let legal = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let qualifier_legal = qualifier.is_none_or(|text| text == LATEST || legal(text));
    (legal(name) && qualifier_legal).then_some(FunctionName {
        region,
        account,
        name,
        qualifier,
    })
}

/// The function that `text` and `qualifier` name for a caller of `account` in `region`, with the
/// qualifier that was given.
pub fn place(
    account: &AccountId,
    region: &Region,
    text: &str,
    qualifier: Option<&str>,
) -> Result<FunctionArn, Misnamed> {
    let named = parse(text).ok_or_else(|| Misnamed::Malformed {
        text: text.to_owned(),
    })?;
    let qualifier = match (named.qualifier, qualifier) {
        (Some(inner), Some(outer)) if inner != outer => return Err(Misnamed::QualifiersDiffer),
        (inner, outer) => inner.or(outer),
    };
    if let Some(foreign) = named.region.filter(|named| *named != region.as_str()) {
        let region_named = Region::new(foreign);
        return Err(Misnamed::ForeignRegion {
            region: region_named,
            here: region.clone(),
        });
    }
    let arn = FunctionArn {
        region: region.clone(),
        account: named.account.unwrap_or_else(|| account.clone()),
        name: named.name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
    };
    let reachable =
        arn.account == *account && qualifier.is_none_or(|qualifier| qualifier == LATEST);
    if reachable {
        Ok(arn)
    } else {
        Err(Misnamed::NotFound { arn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(text: &str, qualifier: Option<&str>) -> Result<String, Misnamed> {
        let account = "123456789012".parse().expect("a literal account");
        place(&account, &Region::new("us-east-1"), text, qualifier).map(|arn| arn.to_string())
    }

    #[test]
    fn every_form_of_a_name_leads_to_its_function() {
        let plain = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let latest = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";
        let cases = [
            ("f", None, plain),
            ("function:f", None, plain),
            ("123456789012:function:f", None, plain),
            ("us-east-1:123456789012:function:f", None, plain),
            (plain, None, plain),
            ("f:$LATEST", None, latest),
            ("f", Some("$LATEST"), latest),
            (latest, Some("$LATEST"), latest),
            ("123456789012:function:f:$LATEST", None, latest),
            (
                "123456789012",
                None,
                "arn:aws:lambda:us-east-1:123456789012:function:123456789012",
            ),
        ];
        for (text, qualifier, arn) in cases {
            assert_eq!(
                placed(text, qualifier),
                Ok(arn.to_owned()),
                "{text} {qualifier:?}"
            );
        }
    }

    #[test]
    fn a_name_that_leads_nowhere_says_why() {
        let cases = [
            (
                "f:1",
                Some("$LATEST"),
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
            (
                "f:1",
                None,
                "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:1",
            ),
            (
                "f",
                Some("live"),
                "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:live",
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
                None,
                "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
            ),
            (
                "999999999999:function:f",
                None,
                "Function not found: arn:aws:lambda:us-east-1:999999999999:function:f",
            ),
            (
                "a:b:c:d",
                None,
                "\"a:b:c:d\" is not a function name, a partial ARN or a function ARN",
            ),
            (
                "arn:aws:sqs:us-east-1:123456789012:f",
                None,
                "\"arn:aws:sqs:us-east-1:123456789012:f\" is not a function name, a partial ARN or a function ARN",
            ),
            (
                "",
                None,
                "\"\" is not a function name, a partial ARN or a function ARN",
            ),
        ];
        for (text, qualifier, message) in cases {
            let refused = placed(text, qualifier).expect_err(text);
            assert_eq!(refused.to_string(), message);
        }
    }
}
