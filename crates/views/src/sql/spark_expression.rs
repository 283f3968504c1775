//! Expressions as Spark writes them: [`written`].
//!
//! What must hold: only what means the same in both is written, in Spark's ANSI mode, which is its default.
//! What differs in a corner that matters (the digits of a quotient, a text made of a double, a trimmed
//! number) is refused by name, because a second opinion that differs for no reason is worse than none.

use arrow_schema::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Case, InList, Like, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, TryCast};

use crate::definition::{Refusal, Standing};
use crate::value::Type;

use super::types::held;

/// Digits behind the point up to which Spark keeps all of them in sums and products of 38 digits.
const SCALE_MAX: u8 = 6;

/// Functions that have the same name and meaning in both.
const SAME: [&str; 18] = [
    "abs",
    "btrim",
    "char_length",
    "coalesce",
    "concat_ws",
    "greatest",
    "least",
    "left",
    "lower",
    "ltrim",
    "md5",
    "nullif",
    "octet_length",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "upper",
];

/// Functions that have another name in Spark.
const RENAMED: [(&str, &str); 4] = [
    ("character_length", "char_length"),
    ("length", "char_length"),
    ("starts_with", "startswith"),
    ("ends_with", "endswith"),
];

type Text = Result<String, Refusal>;

/// `expression` over the columns of `schema` as Spark has it.
pub fn written(expression: &Expr, schema: &DFSchema) -> Text {
    let of = |one: &Expr| written(one, schema);
    match expression {
        Expr::Column(column) => Ok(name(&column.name)),
        Expr::Literal(value, _) => literal(value),
        Expr::BinaryExpr(binary) => operator(binary, schema),
        Expr::Not(one) => Ok(format!("(NOT {})", of(one)?)),
        Expr::Negative(one) => Ok(format!("(- {})", of(one)?)),
        Expr::IsNull(one) => Ok(format!("({} IS NULL)", of(one)?)),
        Expr::IsNotNull(one) => Ok(format!("({} IS NOT NULL)", of(one)?)),
        Expr::IsTrue(one) => Ok(format!("({} IS TRUE)", of(one)?)),
        Expr::IsFalse(one) => Ok(format!("({} IS FALSE)", of(one)?)),
        Expr::IsNotTrue(one) => Ok(format!("({} IS NOT TRUE)", of(one)?)),
        Expr::IsNotFalse(one) => Ok(format!("({} IS NOT FALSE)", of(one)?)),
        Expr::Between(Between {
            expr,
            negated,
            low,
            high,
        }) => {
            check_alike(expr, low, schema)?;
            check_alike(expr, high, schema)?;
            let (expr, low, high) = (of(expr)?, of(low)?, of(high)?);
            Ok(format!(
                "({expr}{} BETWEEN {low} AND {high})",
                not(*negated)
            ))
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            for one in list {
                check_alike(expr, one, schema)?;
            }
            let list = all(list, schema)?;
            Ok(format!("({}{} IN ({list}))", of(expr)?, not(*negated)))
        }
        Expr::Like(Like {
            negated,
            expr,
            pattern,
            escape_char: None,
            case_insensitive,
        }) => {
            let like = if *case_insensitive { "ILIKE" } else { "LIKE" };
            Ok(format!(
                "({}{} {like} {})",
                of(expr)?,
                not(*negated),
                of(pattern)?
            ))
        }
        Expr::Case(case) => choice(case, schema),
        Expr::Cast(Cast { expr, field }) => cast("CAST", expr, field.data_type(), schema),
        Expr::TryCast(TryCast { expr, field }) => cast("TRY_CAST", expr, field.data_type(), schema),
        Expr::ScalarFunction(function) => call(function, schema),
        other => Err(refused(
            other,
            "nobody has looked whether Spark computes the same",
        )),
    }
}

/// A name in Spark's quotes.
pub fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn refused(what: &Expr, why: &str) -> Refusal {
    Refusal::new(Standing::Unsupported, what, why)
}

fn not(is_negated: bool) -> &'static str {
    if is_negated { " NOT" } else { "" }
}

fn all(list: &[Expr], schema: &DFSchema) -> Text {
    let list = list.iter().map(|one| written(one, schema));
    Ok(list.collect::<Result<Vec<_>, _>>()?.join(", "))
}

fn literal(value: &ScalarValue) -> Text {
    Ok(match value {
        ScalarValue::Null => "NULL".to_owned(),
        ScalarValue::Boolean(Some(truth)) => truth.to_string(),
        // Without the letter it would be of 32 bits.
        ScalarValue::Int64(Some(number)) => format!("{number}L"),
        ScalarValue::Decimal128(Some(_), _, scale) if *scale >= 0 => format!("{value}BD"),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
        }
        other => {
            let what = Expr::Literal(other.clone(), None);
            return Err(refused(&what, "Spark writes such a value otherwise"));
        }
    })
}

/// The type of ours that `one` has; none when it is null only.
fn kind(one: &Expr, schema: &DFSchema) -> Result<Option<Type>, Refusal> {
    let unknown = || refused(one, "its type is none that a view keeps");
    match one.get_type(schema) {
        Ok(DataType::Null) => Ok(None),
        Ok(of) => held(&of).map(Some).ok_or_else(unknown),
        Err(_) => Err(unknown()),
    }
}

fn is_number(of: Type) -> bool {
    matches!(of, Type::Integer | Type::Decimal { .. } | Type::Float)
}

/// Refuses a comparison of two kinds of values, for which each engine has rules of its own.
fn check_alike(one: &Expr, other: &Expr, schema: &DFSchema) -> Result<(), Refusal> {
    match (kind(one, schema)?, kind(other, schema)?) {
        (Some(left), Some(right)) if left != right && !(is_number(left) && is_number(right)) => {
            Err(refused(
                other,
                "it is compared with a value of another kind",
            ))
        }
        _ => Ok(()),
    }
}

fn operator(binary: &BinaryExpr, schema: &DFSchema) -> Text {
    let BinaryExpr { left, op, right } = binary;
    let whole = Expr::BinaryExpr(binary.clone());
    let (one, other) = (written(left, schema)?, written(right, schema)?);
    let symbol = match op {
        Operator::And | Operator::Or | Operator::StringConcat => op.to_string(),
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq => {
            check_alike(left, right, schema)?;
            op.to_string().replace("!=", "<>")
        }
        Operator::IsNotDistinctFrom => "<=>".to_owned(),
        Operator::IsDistinctFrom => return Ok(format!("(NOT ({one} <=> {other}))")),
        Operator::Plus | Operator::Minus | Operator::Multiply => {
            check_arithmetic(&whole, left, right, schema)?;
            op.to_string()
        }
        Operator::Divide | Operator::Modulo => match (kind(left, schema)?, kind(right, schema)?) {
            (Some(Type::Integer), Some(Type::Integer)) if *op == Operator::Divide => {
                "div".to_owned()
            }
            (Some(Type::Integer), Some(Type::Integer)) => "%".to_owned(),
            _ => {
                let why =
                    "a quotient has other digits in Spark, and of doubles it fails there for zero";
                return Err(refused(&whole, why));
            }
        },
        _ => {
            return Err(refused(
                &whole,
                "nobody has looked whether Spark computes the same",
            ));
        }
    };
    Ok(format!("({one} {symbol} {other})"))
}

fn check_arithmetic(
    whole: &Expr,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
) -> Result<(), Refusal> {
    let (left, right) = (kind(left, schema)?, kind(right, schema)?);
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(());
    };
    if !is_number(left) || !is_number(right) {
        return Err(refused(
            whole,
            "arithmetic with times has other types in Spark",
        ));
    }
    match kind(whole, schema)? {
        Some(Type::Decimal { scale }) if scale > SCALE_MAX => {
            let why = "Spark drops digits behind the sixth where 38 are not enough for all";
            Err(refused(whole, why))
        }
        _ => Ok(()),
    }
}

fn choice(case: &Case, schema: &DFSchema) -> Text {
    let mut text = "CASE".to_owned();
    if let Some(operand) = &case.expr {
        for (when, _) in &case.when_then_expr {
            check_alike(operand, when, schema)?;
        }
        text += &format!(" {}", written(operand, schema)?);
    }
    for (when, then) in &case.when_then_expr {
        let (when, then) = (written(when, schema)?, written(then, schema)?);
        text += &format!(" WHEN {when} THEN {then}");
    }
    if let Some(otherwise) = &case.else_expr {
        text += &format!(" ELSE {}", written(otherwise, schema)?);
    }
    Ok(text + " END")
}

fn cast(word: &str, one: &Expr, to: &DataType, schema: &DFSchema) -> Text {
    let inner = written(one, schema)?;
    let from = kind(one, schema)?;
    let to_text = matches!(
        to,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    );
    let spark = match (from, to) {
        (None | Some(Type::Integer | Type::Decimal { .. } | Type::Float), DataType::Int64) => {
            "BIGINT".to_owned()
        }
        (None | Some(Type::Integer | Type::Decimal { .. } | Type::Float), DataType::Float64) => {
            "DOUBLE".to_owned()
        }
        (
            None | Some(Type::Integer | Type::Decimal { .. }),
            DataType::Decimal128(digits, scale),
        ) => {
            format!("DECIMAL({digits}, {scale})")
        }
        (None | Some(Type::Integer | Type::Decimal { .. } | Type::Boolean | Type::Text), _)
            if to_text =>
        {
            "STRING".to_owned()
        }
        _ => {
            let what = Expr::Cast(Cast::new(Box::new(one.clone()), to.clone()));
            return Err(refused(&what, "such a cast has other corners in Spark"));
        }
    };
    Ok(format!("{word}({inner} AS {spark})"))
}

fn call(function: &ScalarFunction, schema: &DFSchema) -> Text {
    let arguments = || all(&function.args, schema);
    let name = function.name();
    if SAME.contains(&name) {
        return Ok(format!("{name}({})", arguments()?));
    }
    if let Some((_, renamed)) = RENAMED.iter().find(|(ours, _)| *ours == name) {
        return Ok(format!("{renamed}({})", arguments()?));
    }
    let whole = Expr::ScalarFunction(function.clone());
    match (name, function.args.as_slice()) {
        // Nulls count as empty here, and make the whole null there.
        ("concat", _) => Ok(format!("concat_ws('', {})", arguments()?)),
        ("strpos", [text, part]) => Ok(format!(
            "instr({}, {})",
            written(text, schema)?,
            written(part, schema)?
        )),
        ("date_bin", [Expr::Literal(step, _), time]) => match micros(step) {
            Some(step) => {
                let time = format!("unix_micros({})", written(time, schema)?);
                Ok(format!("timestamp_micros({time} - pmod({time}, {step}))"))
            }
            None => Err(refused(&whole, "months have no fixed length")),
        },
        ("date_trunc", [Expr::Literal(unit, _), time]) => {
            let unit = unit_of(
                unit,
                &[
                    "second", "minute", "hour", "day", "week", "month", "quarter", "year",
                ],
            );
            let unit = unit.ok_or_else(|| refused(&whole, "Spark has no such unit"))?;
            Ok(format!("date_trunc('{unit}', {})", written(time, schema)?))
        }
        ("date_part", [Expr::Literal(unit, _), time]) => {
            let unit = unit_of(
                unit,
                &["minute", "hour", "day", "week", "month", "quarter", "year"],
            );
            let unit = unit.ok_or_else(|| refused(&whole, "Spark counts this part otherwise"))?;
            Ok(format!(
                "CAST(extract({unit} FROM {}) AS BIGINT)",
                written(time, schema)?
            ))
        }
        (name, _) if name.starts_with("json_") => {
            let why = "what is no JSON is left out here and null in Spark";
            Err(refused(&whole, why).nearest("a column of the stream's schema"))
        }
        _ => Err(refused(
            &whole,
            "nobody has looked whether Spark computes the same",
        )),
    }
}

fn unit_of(unit: &ScalarValue, known: &[&str]) -> Option<String> {
    let unit = match unit {
        ScalarValue::Utf8(Some(unit)) | ScalarValue::Utf8View(Some(unit)) => unit.to_lowercase(),
        _ => return None,
    };
    known.contains(&unit.as_str()).then_some(unit)
}

/// The microseconds of a span without months.
fn micros(span: &ScalarValue) -> Option<i64> {
    match span {
        ScalarValue::IntervalMonthDayNano(Some(span)) if span.months == 0 => {
            let days = i64::from(span.days).checked_mul(86_400_000_000)?;
            days.checked_add(span.nanoseconds / 1_000)
        }
        _ => None,
    }
}
