//! What a description says, before it means anything. Positions are byte offsets in the text.

use cnnc_ir::types::DType;

/// A word and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Name {
    pub at: usize,
    pub text: String,
}

/// A whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub name: Name,
    pub parameters: Vec<Parameter>,
    pub inputs: Vec<Input>,
    pub imports: Vec<Import>,
    pub blocks: Vec<Block>,
    pub body: Vec<Statement>,
    pub train: Option<Train>,
}

/// `input image: f32[3, size, size]`; the batch is not said.
#[derive(Debug)]
pub(super) struct Input {
    pub name: Name,
    pub dtype: DType,
    /// A name that is no parameter is a free extent.
    pub shape: Vec<Expr>,
}

/// `import "backbone.onnx" as backbone`
#[derive(Debug)]
pub(super) struct Import {
    pub at: usize,
    pub file: String,
    pub name: Name,
}

/// `block residual(x, channels, stride = 1) { ... }`
#[derive(Debug)]
pub(super) struct Block {
    pub name: Name,
    pub parameters: Vec<Parameter>,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub name: Name,
    pub default: Option<Expr>,
}

#[derive(Debug)]
pub(super) enum Statement {
    /// `a, b = value`
    Assign { targets: Vec<Name>, value: Expr },
    /// `if condition { } else { }`
    If {
        condition: Expr,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    /// `repeat count { }`
    Repeat { count: Expr, body: Vec<Statement> },
    /// `for width in [64, 128] { }`; several targets take the elements of each item apart.
    For {
        targets: Vec<Name>,
        list: Expr,
        body: Vec<Statement>,
    },
    /// `return a, b`
    Return { at: usize, values: Vec<Expr> },
    /// `output digit = value`
    Output { name: Name, value: Expr },
}

#[derive(Debug)]
pub(super) struct Expr {
    pub at: usize,
    pub kind: ExprKind,
}

#[derive(Debug)]
pub(super) enum ExprKind {
    Int(i64),
    Float(f64),
    Size(Vec<u64>),
    Str(String),
    Name(String),
    List(Vec<Expr>),
    Call { callee: Name, args: Vec<Arg> },
    Negate(Box<Expr>),
    Not(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
}

/// An argument, by place or by name.
#[derive(Debug)]
pub(super) struct Arg {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Binary {
    /// Operators from the loosest binding to the tightest, those of a level together.
    pub const LEVELS: [&'static [(&'static str, Binary)]; 5] = [
        &[("or", Binary::Or)],
        &[("and", Binary::And)],
        &[
            ("==", Binary::Equal),
            ("!=", Binary::Unequal),
            ("<=", Binary::LessOrEqual),
            (">=", Binary::GreaterOrEqual),
            ("<", Binary::Less),
            (">", Binary::Greater),
        ],
        &[("+", Binary::Add), ("-", Binary::Sub)],
        &[("*", Binary::Mul), ("/", Binary::Div)],
    ];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        let all = Self::LEVELS.into_iter().flatten();
        all.into_iter()
            .find(|(_, b)| *b == self)
            .map_or("", |(sign, _)| sign)
    }
}

/// `train { ... }`
#[derive(Debug)]
pub(super) struct Train {
    pub settings: Vec<Setting>,
}

/// `optimizer adam(lr=1e-3)`: a name and its items as option texts (`adam:lr=1e-3`).
#[derive(Debug)]
pub(super) struct Setting {
    pub name: Name,
    pub items: Vec<Name>,
}
