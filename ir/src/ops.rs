//! The list of operators: one line here, one file in `ops/`. The list is closed, so that a forgotten facet is a compile error; a
//! file that is not listed fails the tidy test.

use crate::schema::OpDef;

mod attention_mask;
mod cosine_window;
mod cumulative;
mod elementwise;
mod fourier;
mod geometry;
mod heads;
mod indexing;
mod integer_product;
mod interpolation;
mod looping;
mod loss;
pub(crate) mod normalization;
mod optimizer;
mod pooling;
mod q_linear;
mod quantization;
mod random;
mod recurrence;
mod reduction;
mod sampling;
mod softmax_family;

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
    Abs abs
    Acos acos
    Acosh acosh
    Adagrad adagrad
    Adam adam
    Add add
    AffineGrid affine_grid
    And and
    ArgMax arg_max
    ArgMin arg_min
    ArrayFeatureExtractor array_feature_extractor
    Asin asin
    Asinh asinh
    Atan atan
    Atanh atanh
    Attention attention
    AveragePool average_pool
    AveragePoolGradient average_pool_gradient
    BatchNormalization batch_normalization
    Bernoulli bernoulli
    BitCast bit_cast
    BitShift bit_shift
    BitwiseAnd bitwise_and
    BitwiseNot bitwise_not
    BitwiseOr bitwise_or
    BitwiseXor bitwise_xor
    BlackmanWindow blackman_window
    Cast cast
    CastLike cast_like
    CausalConvWithState causal_conv_with_state
    Ceil ceil
    Celu celu
    CenterCropPad center_crop_pad
    Clip clip
    Col2Im col2im
    Compress compress
    Concat concat
    Constant constant
    ConstantOfShape constant_of_shape
    Conv conv
    ConvFilterGradient conv_filter_gradient
    ConvInteger conv_integer
    ConvTranspose conv_transpose
    Cos cos
    Cosh cosh
    CumProd cum_prod
    CumSum cum_sum
    DFT dft
    DeformConv deform_conv
    DepthToSpace depth_to_space
    DequantizeLinear dequantize_linear
    Det det
    Div div
    Dropout dropout
    DynamicQuantizeLinear dynamic_quantize_linear
    Einsum einsum
    Elu elu
    Equal equal
    Erf erf
    Exp exp
    Expand expand
    EyeLike eye_like
    Flatten flatten
    FlexAttention flex_attention
    Floor floor
    GRU gru
    Gather gather
    GatherElements gather_elements
    GatherND gather_nd
    Gelu gelu
    Gemm gemm
    GlobalAveragePool global_average_pool
    GlobalLpPool global_lp_pool
    GlobalMaxPool global_max_pool
    Greater greater
    GreaterOrEqual greater_or_equal
    GridSample grid_sample
    GroupNormalization group_normalization
    HammingWindow hamming_window
    HannWindow hann_window
    HardSigmoid hard_sigmoid
    HardSwish hard_swish
    Hardmax hardmax
    Identity identity
    If if_else
    InstanceNormalization instance_normalization
    IsInf is_inf
    IsNaN is_nan
    LRN lrn
    LSTM lstm
    LayerNormalization layer_normalization
    LeakyRelu leaky_relu
    Less less
    LessOrEqual less_or_equal
    LinearAttention linear_attention
    Log log
    LogSoftmax log_softmax
    Loop loop_body
    LpNormalization lp_normalization
    LpPool lp_pool
    Map map
    MatMul mat_mul
    MatMulInteger mat_mul_integer
    Max max
    MaxPool max_pool
    MaxPoolGradient max_pool_gradient
    MaxPoolIndices max_pool_indices
    MaxUnpool max_unpool
    Mean mean
    MeanVarianceNormalization mean_variance_normalization
    MelWeightMatrix mel_weight_matrix
    Min min
    Mish mish
    Mod modulo
    Momentum momentum
    Mul mul
    Neg neg
    NegativeLogLikelihoodLoss negative_log_likelihood_loss
    NonMaxSuppression non_max_suppression
    NonZero non_zero
    Not not
    OneHot one_hot
    OptionalGetElement optional_get_element
    OptionalHasElement optional_has_element
    Or or
    PRelu p_relu
    Pad pad
    Pow pow
    QLinearAdd q_linear_add
    QLinearAveragePool q_linear_average_pool
    QLinearConcat q_linear_concat
    QLinearConv q_linear_conv
    QLinearGlobalAveragePool q_linear_global_average_pool
    QLinearLeakyRelu q_linear_leaky_relu
    QLinearMatMul q_linear_mat_mul
    QLinearMul q_linear_mul
    QLinearSigmoid q_linear_sigmoid
    QuantizeLinear quantize_linear
    RMSNormalization rms_normalization
    RNN rnn
    RandomNormal random_normal
    RandomNormalLike random_normal_like
    RandomUniform random_uniform
    RandomUniformLike random_uniform_like
    Range range
    Reciprocal reciprocal
    ReduceL1 reduce_l1
    ReduceL2 reduce_l2
    ReduceLogSum reduce_log_sum
    ReduceLogSumExp reduce_log_sum_exp
    ReduceMax reduce_max
    ReduceMean reduce_mean
    ReduceMin reduce_min
    ReduceProd reduce_prod
    ReduceSum reduce_sum
    ReduceSumSquare reduce_sum_square
    Relu relu
    Reorder reorder
    Reshape reshape
    Resize resize
    ReverseSequence reverse_sequence
    RoiAlign roi_align
    RotaryEmbedding rotary_embedding
    Round round
    STFT stft
    Scan scan
    Scatter scatter
    ScatterElements scatter_elements
    ScatterND scatter_nd
    Selu selu
    Shape shape
    Shrink shrink
    Sigmoid sigmoid
    Sign sign
    Sin sin
    Sinh sinh
    Size size
    Slice slice
    Softmax softmax
    SoftmaxCrossEntropyLoss softmax_cross_entropy_loss
    Softplus softplus
    Softsign softsign
    SpaceToDepth space_to_depth
    Split split
    Sqrt sqrt
    Squeeze squeeze
    Sub sub
    Sum sum
    SwiGLU swi_glu
    Swish swish
    Tan tan
    Tanh tanh
    TensorScatter tensor_scatter
    TfIdfVectorizer tf_idf_vectorizer
    ThresholdedRelu thresholded_relu
    Tile tile
    TopK top_k
    Transpose transpose
    Trilu trilu
    Unique unique
    Unsqueeze unsqueeze
    Upsample upsample
    Where where_select
    Xor xor
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
