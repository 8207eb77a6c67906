//! Tokens.

/// What a token is; texts are slices of the input, strings are unescaped.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    /// `Conv`, `com.microsoft.Gelu`, `f32`, `_`.
    Word(&'a str),
    /// `12`, `-1.5e3`, `-inf`.
    Number(&'a str),
    /// `%name` or `%"any name"`.
    Value(String),
    Str(String),
    /// One of `( ) { } [ ] , = : ; + <` and `<=`, `<...>`.
    Mark(&'static str),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token<'a> {
    pub kind: Kind<'a>,
    /// Byte offset in the input.
    pub at: usize,
    /// Whether it is the first of its line: where the parser picks up again after a mistake.
    pub first: bool,
}

const MARKS: [&str; 14] = [
    "<...>", "<=", "(", ")", "{", "}", "[", "]", ",", "=", ":", ";", "+", "<",
];

/// A stray character or an open string: where, and what is wrong.
pub type Stray = (usize, String);

/// All tokens, an `End` last; strays are reported and skipped.
pub fn tokens(text: &str) -> (Vec<Token<'_>>, Vec<Stray>) {
    let mut lexer = Lexer { text, at: 0 };
    let (mut tokens, mut strays) = (Vec::new(), Vec::new());
    let mut first = true;
    loop {
        let rest = &text[lexer.at..];
        let at = lexer.at;
        let Some(c) = rest.chars().next() else {
            tokens.push(Token {
                kind: Kind::End,
                at,
                first: true,
            });
            return (tokens, strays);
        };
        if c == '\n' {
            first = true;
        }
        if c.is_whitespace() {
            lexer.at += c.len_utf8();
        } else if rest.starts_with("//") {
            lexer.at += rest.find('\n').unwrap_or(rest.len());
        } else {
            match lexer.token(c) {
                Ok(kind) => tokens.push(Token { kind, at, first }),
                Err(message) => strays.push((at, message)),
            }
            first = false;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn token(&mut self, c: char) -> Result<Kind<'a>, String> {
        let rest = &self.text[self.at..];
        if let Some(mark) = MARKS.into_iter().find(|m| rest.starts_with(m)) {
            self.at += mark.len();
            return Ok(Kind::Mark(mark));
        }
        match c {
            '"' => self.string().map(Kind::Str),
            '%' => {
                self.at += 1;
                if self.text[self.at..].starts_with('"') {
                    return self.string().map(Kind::Value);
                }
                match self.run(is_name) {
                    "" => Err("'%' must be followed by a name".into()),
                    name => Ok(Kind::Value(name.to_string())),
                }
            }
            '-' | '0'..='9' => Ok(Kind::Number(self.number())),
            c if is_name(c) => Ok(Kind::Word(self.run(is_name))),
            c => {
                self.at += c.len_utf8();
                Err(format!("stray character '{}'", c.escape_debug()))
            }
        }
    }

    /// The longest run of such characters.
    fn run(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A sign, then name characters, and a sign where an exponent may have one.
    fn number(&mut self) -> &'a str {
        let start = self.at;
        self.at += usize::from(self.text[start..].starts_with('-'));
        let body = self.run(is_name);
        let signed = self.text[self.at..].starts_with(['-', '+']);
        if body.ends_with(['e', 'E']) && signed {
            self.at += 1;
            self.run(is_name);
        }
        &self.text[start..self.at]
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        self.at += 1;
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\n' => {
                    self.at += i;
                    return Err("the string is not closed on its line".into());
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some('0') => out.push('\0'),
                    Some('u') => {
                        let code: String = chars
                            .by_ref()
                            .map(|(_, c)| c)
                            .skip_while(|&c| c == '{')
                            .take_while(|&c| c != '}')
                            .take(8)
                            .collect();
                        out.push(
                            u32::from_str_radix(&code, 16)
                                .ok()
                                .and_then(char::from_u32)
                                .unwrap_or(char::REPLACEMENT_CHARACTER),
                        );
                    }
                    Some(c) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.at = self.text.len();
        Err("the string is not closed".into())
    }
}

/// Characters of bare names.
pub fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}
