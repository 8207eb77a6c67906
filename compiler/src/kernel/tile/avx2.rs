//! AVX2 + FMA: VEX encodings, 16 registers, tails by `vmaskmovps` with the masks in the last registers.

use super::asm::Op;

use super::x86::{Choice, Encoding, Row, Source};
use super::{Lanes, Mask, Target};
use Code::*;
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};

/// The register of the first mask; the others lie before it.
const LAST: usize = 15;

pub struct Avx2;

impl Encoding for Avx2 {
    const WIDEST: Lanes = Lanes::Eight;
    const EMBEDS_BROADCAST: bool = false;
    /// A whole vector, to be an operand as it is.
    const ENTRY: usize = 32;

    fn registers(masks: usize) -> usize {
        Target::Avx2.registers() - masks
    }

    fn reach(_bytes: i64) -> Option<i64> {
        None
    }

    fn register(lanes: Lanes, index: usize) -> Register {
        let first = match lanes {
            Lanes::Four => Register::XMM0,
            Lanes::Eight => Register::YMM0,
            Lanes::Sixteen => Register::ZMM0,
        };
        first + index as u32
    }

    fn code(row: Row, lanes: Lanes) -> Code {
        let [four, eight] = match row {
            Row::Load => [VEX_Vmovups_xmm_xmmm128, VEX_Vmovups_ymm_ymmm256],
            Row::Store => [VEX_Vmovups_xmmm128_xmm, VEX_Vmovups_ymmm256_ymm],
            Row::Broadcast => [VEX_Vbroadcastss_xmm_m32, VEX_Vbroadcastss_ymm_m32],
            Row::Copy => [VEX_Vmovaps_xmm_xmmm128, VEX_Vmovaps_ymm_ymmm256],
            Row::Zero => [VEX_Vxorps_xmm_xmm_xmmm128, VEX_Vxorps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::MulAdd) => [
                VEX_Vfmadd231ps_xmm_xmm_xmmm128,
                VEX_Vfmadd231ps_ymm_ymm_ymmm256,
            ],
            Row::SquareRoot => [VEX_Vsqrtps_xmm_xmmm128, VEX_Vsqrtps_ymm_ymmm256],
            Row::Arithmetic(Op::MulThenAdd) => [
                VEX_Vfmadd213ps_xmm_xmm_xmmm128,
                VEX_Vfmadd213ps_ymm_ymm_ymmm256,
            ],
            Row::Arithmetic(Op::Div) => [VEX_Vdivps_xmm_xmm_xmmm128, VEX_Vdivps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::And) => [VEX_Vandps_xmm_xmm_xmmm128, VEX_Vandps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Or) => [VEX_Vorps_xmm_xmm_xmmm128, VEX_Vorps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Xor) => [VEX_Vxorps_xmm_xmm_xmmm128, VEX_Vxorps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Add) => [VEX_Vaddps_xmm_xmm_xmmm128, VEX_Vaddps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Sub) => [VEX_Vsubps_xmm_xmm_xmmm128, VEX_Vsubps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Mul) => [VEX_Vmulps_xmm_xmm_xmmm128, VEX_Vmulps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Max) => [VEX_Vmaxps_xmm_xmm_xmmm128, VEX_Vmaxps_ymm_ymm_ymmm256],
            Row::Arithmetic(Op::Min) => [VEX_Vminps_xmm_xmm_xmmm128, VEX_Vminps_ymm_ymm_ymmm256],
        };
        match lanes {
            Lanes::Four => four,
            Lanes::Eight => eight,
            Lanes::Sixteen => INVALID,
        }
    }

    fn constant(lanes: Lanes, to: usize, value: f32) -> Result<Vec<Instruction>, IcedError> {
        let broadcast = if lanes == Lanes::Four {
            VEX_Vbroadcastss_xmm_xmm
        } else {
            VEX_Vbroadcastss_ymm_xmm
        };
        let low = Self::register(Lanes::Four, to);
        Ok(vec![
            Instruction::with2(Mov_r32_imm32, Register::EAX, value.to_bits())?,
            Instruction::with2(VEX_Vmovd_xmm_rm32, low, Register::EAX)?,
            Instruction::with2(broadcast, Self::register(lanes, to), low)?,
        ])
    }

    /// One byte of ones per lane of the mask, sign-extended to lanes.
    fn mask(index: usize, mask: Mask) -> Result<Vec<Instruction>, IcedError> {
        let bytes = (mask.first..mask.end).fold(0u64, |bytes, lane| bytes | 0xff << (8 * lane));
        let low = Self::register(Lanes::Four, LAST - index);
        Ok(vec![
            Instruction::with2(Mov_r64_imm64, Register::RAX, bytes)?,
            Instruction::with2(VEX_Vmovq_xmm_rm64, low, Register::RAX)?,
            Instruction::with2(
                VEX_Vpmovsxbd_ymm_xmmm64,
                Self::register(Lanes::Eight, LAST - index),
                low,
            )?,
        ])
    }

    fn masked_load(
        mask: usize,
        lanes: Lanes,
        to: Register,
        from: MemoryOperand,
    ) -> Result<Instruction, IcedError> {
        let code = if lanes == Lanes::Four {
            VEX_Vmaskmovps_xmm_xmm_m128
        } else {
            VEX_Vmaskmovps_ymm_ymm_m256
        };
        Instruction::with3(code, to, Self::register(lanes, LAST - mask), from)
    }

    fn masked_store(
        mask: usize,
        lanes: Lanes,
        from: Register,
        to: MemoryOperand,
    ) -> Result<Instruction, IcedError> {
        let code = if lanes == Lanes::Four {
            VEX_Vmaskmovps_m128_xmm_xmm
        } else {
            VEX_Vmaskmovps_m256_ymm_ymm
        };
        Instruction::with3(code, to, Self::register(lanes, LAST - mask), from)
    }

    fn select(lanes: Lanes, to: Register, choice: Choice) -> Result<Vec<Instruction>, IcedError> {
        let [compare, blend] = if lanes == Lanes::Four {
            [
                VEX_Vcmpps_xmm_xmm_xmmm128_imm8,
                VEX_Vblendvps_xmm_xmm_xmmm128_xmm,
            ]
        } else {
            [
                VEX_Vcmpps_ymm_ymm_ymmm256_imm8,
                VEX_Vblendvps_ymm_ymm_ymmm256_ymm,
            ]
        };
        let (Choice { x, b, spare, .. }, predicate) = (&choice, choice.compare.predicate());
        let test = match choice.y {
            Source::Register(y) => Instruction::with4(compare, *spare, *x, y, predicate),
            Source::Memory(y) => Instruction::with4(compare, *spare, *x, y, predicate),
        };
        let pick = match choice.a {
            Source::Register(a) => Instruction::with4(blend, to, *b, a, *spare),
            Source::Memory(a) => Instruction::with4(blend, to, *b, a, *spare),
        };
        Ok(vec![test?, pick?])
    }

    /// `2^n` may leave the range of normal numbers, so half of n goes to the exponent of p and the rest is a factor. A NaN's n becomes
    /// the smallest integer, all of which the shifts drop.
    fn scale(
        lanes: Lanes,
        p: Register,
        n: Register,
        spare: Register,
    ) -> Result<Vec<Instruction>, IcedError> {
        let code = |four, eight| if lanes == Lanes::Four { four } else { eight };
        let to_integer = code(VEX_Vcvtps2dq_xmm_xmmm128, VEX_Vcvtps2dq_ymm_ymmm256);
        let halve = code(VEX_Vpsrad_xmm_xmm_imm8, VEX_Vpsrad_ymm_ymm_imm8);
        let left = code(VEX_Vpslld_xmm_xmm_imm8, VEX_Vpslld_ymm_ymm_imm8);
        let right = code(VEX_Vpsrld_xmm_xmm_imm8, VEX_Vpsrld_ymm_ymm_imm8);
        let add = code(VEX_Vpaddd_xmm_xmm_xmmm128, VEX_Vpaddd_ymm_ymm_ymmm256);
        let subtract = code(VEX_Vpsubd_xmm_xmm_xmmm128, VEX_Vpsubd_ymm_ymm_ymmm256);
        let ones = code(VEX_Vpcmpeqd_xmm_xmm_xmmm128, VEX_Vpcmpeqd_ymm_ymm_ymmm256);
        let multiply = Self::code(Row::Arithmetic(Op::Mul), lanes);
        [
            Instruction::with2(to_integer, n, n),
            Instruction::with3(halve, spare, n, 1u32),
            Instruction::with3(subtract, n, n, spare),
            Instruction::with3(left, spare, spare, 23u32),
            Instruction::with3(add, p, p, spare),
            // 1.0 out of nothing: an exponent of 127.
            Instruction::with3(ones, spare, spare, spare),
            Instruction::with3(right, spare, spare, 25u32),
            Instruction::with3(left, spare, spare, 23u32),
            Instruction::with3(left, n, n, 23u32),
            Instruction::with3(add, n, n, spare),
            Instruction::with3(multiply, p, p, n),
        ]
        .into_iter()
        .collect()
    }
}
