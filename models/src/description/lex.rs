//! Tokens of the description language. Comments run from `//` to the end of the line; ends of lines mean nothing else.

/// What a token is; words are slices of the text, strings are unescaped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    Int(i64),
    Float(f64),
    /// `3x3`
    Size(Vec<u64>),
    Str(String),
    Mark(&'static str),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub kind: Kind<'a>,
    /// Byte offset in the text.
    pub at: usize,
    /// The token as it is written.
    pub text: &'a str,
    /// Whether it is the first of its line: where the parser picks up again after a mistake.
    pub first: bool,
}

/// Longer marks stand before those they begin with.
const MARKS: [&str; 19] = [
    "==", "!=", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", "=", ":", "+", "-", "*", "/", "<",
    ">",
];

/// A mistake: byte offset and message.
pub(super) type Mistake = (usize, String);

/// All tokens, an `End` last; what is no token is reported and left out.
pub(super) fn tokens(text: &str) -> (Vec<Token<'_>>, Vec<Mistake>) {
    let (mut tokens, mut mistakes) = (Vec::new(), Vec::new());
    let (mut at, mut first) = (0, true);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            first |= c == '\n';
            at += c.len_utf8();
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (length, kind) = token(rest, c);
        match kind {
            Ok(kind) => tokens.push(Token {
                kind,
                at,
                text: &rest[..length],
                first,
            }),
            Err(message) => mistakes.push((at, message)),
        }
        first = false;
        at += length;
    }
    tokens.push(Token {
        kind: Kind::End,
        at: text.trim_end().len(),
        text: "",
        first: true,
    });
    (tokens, mistakes)
}

/// The token that `rest` begins with, and its length in bytes, which is not 0.
fn token(rest: &str, c: char) -> (usize, Result<Kind<'_>, String>) {
    if let Some(mark) = MARKS.into_iter().find(|m| rest.starts_with(m)) {
        return (mark.len(), Ok(Kind::Mark(mark)));
    }
    match c {
        '"' => string(rest),
        '0'..='9' => number(rest),
        c if is_name(c) => {
            let end = run(rest);
            (end, Ok(Kind::Word(&rest[..end])))
        }
        c => (
            c.len_utf8(),
            Err(format!("stray character '{}'", c.escape_debug())),
        ),
    }
}

/// Length of the run of name characters.
fn run(rest: &str) -> usize {
    rest.find(|c| !is_name(c)).unwrap_or(rest.len())
}

/// Characters of names; names do not begin with a digit.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// `12`, `0.5`, `1e-3`, `3x3`.
fn number(rest: &str) -> (usize, Result<Kind<'_>, String>) {
    let mut end = run(rest);
    let signed = rest[end..].starts_with(['-', '+']) && rest[..end].ends_with(['e', 'E']);
    if signed && !rest[..end].contains('x') {
        end += 1 + run(&rest[end + 1..]);
    }
    let text = &rest[..end];
    let sizes: Option<Vec<u64>> = text.split('x').map(|n| n.parse().ok()).collect();
    let kind = match (text.parse::<i64>(), sizes, text.parse::<f64>()) {
        (Ok(n), _, _) => Ok(Kind::Int(n)),
        (_, Some(sizes), _) if sizes.len() > 1 => Ok(Kind::Size(sizes)),
        (_, _, Ok(x)) if x.is_finite() => Ok(Kind::Float(x)),
        _ => Err(format!("'{text}' is no number")),
    };
    (end, kind)
}

/// `"text"`, where `\"` and `\\` stand for the character behind.
fn string(rest: &str) -> (usize, Result<Kind<'_>, String>) {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return (i + 1, Ok(Kind::Str(out))),
            '\n' => return (i, Err("the string is not closed on its line".into())),
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (rest.len(), Err("the string is not closed".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token() {
        let (tokens, mistakes) = tokens("x1 = conv(\"a\\\"b\", 3x3, 1e-3, -2) // 4\n$ 5q");
        let kinds: Vec<String> = tokens.iter().map(|t| format!("{:?}", t.kind)).collect();
        insta::assert_snapshot!(kinds.join(" "), @r#"Word("x1") Mark("=") Word("conv") Mark("(") Str("a\"b") Mark(",") Size([3, 3]) Mark(",") Float(0.001) Mark(",") Mark("-") Int(2) Mark(")") End"#);
        insta::assert_debug_snapshot!(mistakes, @r#"
        [
            (
                38,
                "stray character '$'",
            ),
            (
                40,
                "'5q' is no number",
            ),
        ]
        "#);
    }
}
