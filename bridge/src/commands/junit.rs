//! JUnit's XML, as CI systems read it: one suite of cases.

use std::fmt::Write as _;

/// One case.
pub(super) struct Case {
    /// What it belongs to, such as a contract.
    pub(super) class: String,
    pub(super) name: String,
    /// File and line, from 1.
    pub(super) place: Option<(String, usize)>,
    /// Why it failed, if it did; the first line is the message.
    pub(super) failure: Option<String>,
}

/// The document.
pub(super) fn junit(suite: &str, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\"",
        cases.len()
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
        escaped(suite)
    );
    for case in cases {
        let _ = write!(
            xml,
            "    <testcase classname=\"{}\" name=\"{}\"",
            escaped(&case.class),
            escaped(&case.name)
        );
        if let Some((file, line)) = &case.place {
            let _ = write!(xml, " file=\"{}\" line=\"{line}\"", escaped(file));
        }
        match &case.failure {
            None => xml.push_str("/>\n"),
            Some(failure) => {
                let message = failure.lines().next().unwrap_or_default();
                let _ = writeln!(
                    xml,
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(message),
                    escaped(failure)
                );
            }
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>");
    xml
}

/// Text as it may stand in an element or an attribute (XML 1.0, 2.2 and 2.4); what no XML document may hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control < ' ' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_a_case_cannot_break_the_document() {
        let case = Case {
            class: "a\"b".to_owned(),
            name: "<&>\u{1}".to_owned(),
            place: Some(("f.yaml".to_owned(), 3)),
            failure: Some("]]> first\nsecond \u{ffff}".to_owned()),
        };
        let xml = junit("s", &[case]);
        assert!(xml.contains(
            "classname=\"a&quot;b\" name=\"&lt;&amp;&gt;\u{fffd}\" file=\"f.yaml\" line=\"3\""
        ));
        assert!(
            xml.contains(
                "<failure message=\"]]&gt; first\">]]&gt; first\nsecond \u{fffd}</failure>"
            )
        );
        assert!(xml.contains("tests=\"1\" failures=\"1\""));
    }
}
