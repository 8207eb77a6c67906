//! The list of operators: one line here, one file in `ops/`. The list is closed, so that a forgotten facet is a compile error; a
//! file that is not listed fails the tidy test.

use crate::schema::OpDef;

mod geometry;
mod indexing;
mod looping;
mod pooling;
mod recurrence;
mod reduction;

macro_rules! operators {
    ($($variant:ident $module:ident)*) => {
        $(mod $module;)*

        /// Every operator cnnc knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OpKind { $($variant),* }

        impl OpKind {
            /// All operators in the order of the list.
            pub const ALL: &'static [OpKind] = &[$(OpKind::$variant),*];

            /// The operator's definition.
            pub fn def(self) -> &'static OpDef {
                match self { $(OpKind::$variant => &$module::DEF),* }
            }

            /// The operator's file stem in `ops/`.
            pub fn module(self) -> &'static str {
                match self { $(OpKind::$variant => stringify!($module)),* }
            }
        }
    };
}

operators! {
    Add add
    AveragePool average_pool
    Cast cast
    CenterCropPad center_crop_pad
    Compress compress
    Concat concat
    Constant constant
    ConstantOfShape constant_of_shape
    Conv conv
    ConvTranspose conv_transpose
    DepthToSpace depth_to_space
    Expand expand
    EyeLike eye_like
    Flatten flatten
    GRU gru
    Gather gather
    GatherElements gather_elements
    GatherND gather_nd
    GlobalAveragePool global_average_pool
    GlobalLpPool global_lp_pool
    GlobalMaxPool global_max_pool
    Identity identity
    If if_else
    LSTM lstm
    Loop loop_body
    LpPool lp_pool
    Map map
    MatMul mat_mul
    MaxPool max_pool
    MaxPoolIndices max_pool_indices
    NonMaxSuppression non_max_suppression
    NonZero non_zero
    RNN rnn
    Range range
    ReduceSum reduce_sum
    Relu relu
    Reorder reorder
    Reshape reshape
    ReverseSequence reverse_sequence
    RoiAlign roi_align
    Scan scan
    Scatter scatter
    ScatterElements scatter_elements
    ScatterND scatter_nd
    Shape shape
    Size size
    Slice slice
    SpaceToDepth space_to_depth
    Split split
    Squeeze squeeze
    Tile tile
    TopK top_k
    Transpose transpose
    Trilu trilu
    Unique unique
    Unsqueeze unsqueeze
    Upsample upsample
}

impl OpKind {
    /// Finds an operator by domain (`""` is ai.onnx) and name.
    pub fn find(domain: &str, name: &str) -> Option<OpKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.def().name == name && k.def().domain == domain)
    }
}
