//! The parser's hold on its tokens.

use super::ast::Name;
use super::lex::{Kind, Mistake, Token};

pub(super) struct Cursor<'a> {
    /// The last one is `End`.
    tokens: Vec<Token<'a>>,
    next: usize,
    /// Open expressions and bodies.
    pub depth: usize,
    pub mistakes: Vec<Mistake>,
}

impl<'a> Cursor<'a> {
    pub fn new(tokens: Vec<Token<'a>>, mistakes: Vec<Mistake>) -> Cursor<'a> {
        Cursor {
            tokens,
            next: 0,
            depth: 0,
            mistakes,
        }
    }

    pub fn token(&self) -> &Token<'a> {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }
    pub fn peek(&self) -> &Kind<'a> {
        &self.token().kind
    }
    /// The token behind the next one.
    pub fn second(&self) -> &Kind<'a> {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].kind
    }
    pub fn at(&self) -> usize {
        self.token().at
    }
    pub fn advance(&mut self) {
        if *self.peek() != Kind::End {
            self.next += 1;
        }
    }

    pub fn expected<T>(&self, what: &str) -> Result<T, Mistake> {
        let found = match self.token().text {
            "" => "the end".to_string(),
            text => format!("'{}'", text.chars().take(40).collect::<String>()),
        };
        Err((self.at(), format!("expected {what}, found {found}")))
    }
    pub fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Kind::Mark(m) if *m == mark)
    }
    pub fn is_word(&self, word: &str) -> bool {
        *self.peek() == Kind::Word(word)
    }
    /// Takes a mark or a word if it is the next token.
    pub fn accept(&mut self, text: &str) -> bool {
        let found = self.is_mark(text) || self.is_word(text);
        if found {
            self.advance();
        }
        found
    }
    pub fn expect(&mut self, text: &str) -> Result<(), Mistake> {
        match self.accept(text) {
            true => Ok(()),
            false => self.expected(&format!("'{text}'")),
        }
    }
    /// Takes a word.
    pub fn name(&mut self, what: &str) -> Result<Name, Mistake> {
        match *self.peek() {
            Kind::Word(text) => {
                let at = self.at();
                self.advance();
                Ok(Name {
                    at,
                    text: text.to_string(),
                })
            }
            _ => self.expected(what),
        }
    }
    pub fn string(&mut self, what: &str) -> Result<String, Mistake> {
        match self.peek().clone() {
            Kind::Str(text) => {
                self.advance();
                Ok(text)
            }
            _ => self.expected(what),
        }
    }

    /// `item, item, ...` up to and including `close`; a comma may end it.
    pub fn list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, Mistake>,
    ) -> Result<Vec<T>, Mistake> {
        let mut items = Vec::new();
        while !self.accept(close) {
            items.push(item(self)?);
            if !self.accept(",") && !self.is_mark(close) {
                return self.expected(&format!("',' or '{close}'"));
            }
        }
        Ok(items)
    }

    /// Number of tokens behind.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Goes to the beginning of a line behind `start`, where what is given up began.
    pub fn recover(&mut self, start: usize) {
        if self.next == start {
            self.advance();
        }
        while !self.token().first {
            self.advance();
        }
    }
}
