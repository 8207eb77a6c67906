//! The parser's hold on its tokens.

use super::lex::{Kind, Token};

/// A mistake: where and what; the line it stands on is given up.
pub(super) type Mistake = (usize, String);

pub(super) struct Parser<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) next: usize,
    pub(super) depth: usize,
    pub(super) errors: Vec<Mistake>,
}

impl<'a> Parser<'a> {
    pub(super) fn token(&self) -> &Token<'a> {
        // The last token is `End`, and no one goes past it.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }
    pub(super) fn peek(&self) -> &Kind<'a> {
        &self.token().kind
    }
    pub(super) fn at(&self) -> usize {
        self.token().at
    }
    pub(super) fn advance(&mut self) -> Kind<'a> {
        let kind = self.peek().clone();
        if kind != Kind::End {
            self.next += 1;
        }
        kind
    }
    pub(super) fn mistake<T>(&self, message: impl Into<String>) -> Result<T, Mistake> {
        Err((self.at(), message.into()))
    }
    pub(super) fn expected<T>(&self, what: &str) -> Result<T, Mistake> {
        let found = match self.peek() {
            Kind::Word(w) | Kind::Number(w) => format!("'{w}'"),
            Kind::Value(v) => format!("'%{v}'"),
            Kind::Str(_) => "a string".into(),
            Kind::Mark(m) => format!("'{m}'"),
            Kind::End => "the end".into(),
        };
        self.mistake(format!("expected {what}, found {found}"))
    }
    pub(super) fn accept(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Kind::Mark(m) if *m == mark);
        if found {
            self.next += 1;
        }
        found
    }
    pub(super) fn expect(&mut self, mark: &str) -> Result<(), Mistake> {
        if self.accept(mark) {
            Ok(())
        } else {
            self.expected(&format!("'{mark}'"))
        }
    }
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = *self.peek() == Kind::Word(word);
        if found {
            self.next += 1;
        }
        found
    }
    pub(super) fn string(&mut self, what: &str) -> Result<String, Mistake> {
        match self.peek() {
            Kind::Str(_) => match self.advance() {
                Kind::Str(s) => Ok(s),
                _ => self.expected(what),
            },
            _ => self.expected(what),
        }
    }
    pub(super) fn name(&mut self) -> Result<String, Mistake> {
        match self.peek() {
            Kind::Value(_) => match self.advance() {
                Kind::Value(s) => Ok(s),
                _ => self.expected("a value"),
            },
            _ => self.expected("a value such as %x"),
        }
    }
    /// `item, item, ...` up to and including `close`.
    pub(super) fn list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, Mistake>,
    ) -> Result<Vec<T>, Mistake> {
        let mut items = Vec::new();
        if self.accept(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.accept(close) {
                return Ok(items);
            }
            if !self.accept(",") {
                return self.expected(&format!("',' or '{close}'"));
            }
        }
    }
    pub(super) fn report(&mut self, at: usize, message: String) {
        self.errors.push((at, message));
    }

    /// Goes to the next line that can begin a node or end the graph.
    pub(super) fn recover(&mut self) {
        loop {
            let token = self.token();
            match &token.kind {
                Kind::End => return,
                Kind::Value(_) | Kind::Word("return") | Kind::Mark("}") if token.first => return,
                _ => self.next += 1,
            }
        }
    }
}
