//! AVX-512 F + VL: EVEX encodings, 32 registers, scalars broadcast from memory, masked tails.

use super::asm::Op;

use super::x86::{Choice, Encoding, Row, Source, three};
use super::{ELEMENT, Lanes, Mask, Target};
use Code::*;
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};

pub struct Avx512;

/// The mask of selections; those of partial vectors lie below it.
const SELECTED: Register = Register::K7;

/// Mask number `index`; k0 stands for no mask.
fn opmask(index: usize) -> Register {
    Register::K1 + index as u32
}

impl Encoding for Avx512 {
    const WIDEST: Lanes = Lanes::Sixteen;
    const EMBEDS_BROADCAST: bool = true;
    const ENTRY: usize = ELEMENT as usize;

    fn registers(_masks: usize) -> usize {
        Target::Avx512.registers()
    }

    /// A one-byte displacement counts in units of the operand.
    fn reach(bytes: i64) -> Option<i64> {
        Some(128 * bytes.max(ELEMENT))
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
        let [four, eight, sixteen] = match row {
            Row::Load => [
                EVEX_Vmovups_xmm_k1z_xmmm128,
                EVEX_Vmovups_ymm_k1z_ymmm256,
                EVEX_Vmovups_zmm_k1z_zmmm512,
            ],
            Row::Store => [
                EVEX_Vmovups_xmmm128_k1z_xmm,
                EVEX_Vmovups_ymmm256_k1z_ymm,
                EVEX_Vmovups_zmmm512_k1z_zmm,
            ],
            Row::Broadcast => [
                EVEX_Vbroadcastss_xmm_k1z_xmmm32,
                EVEX_Vbroadcastss_ymm_k1z_xmmm32,
                EVEX_Vbroadcastss_zmm_k1z_xmmm32,
            ],
            Row::Copy => [
                EVEX_Vmovaps_xmm_k1z_xmmm128,
                EVEX_Vmovaps_ymm_k1z_ymmm256,
                EVEX_Vmovaps_zmm_k1z_zmmm512,
            ],
            Row::Zero => [
                EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
            ],
            Row::Arithmetic(Op::MulAdd) => [
                EVEX_Vfmadd231ps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vfmadd231ps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::SquareRoot => [
                EVEX_Vsqrtps_xmm_k1z_xmmm128b32,
                EVEX_Vsqrtps_ymm_k1z_ymmm256b32,
                EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::MulThenAdd) => [
                EVEX_Vfmadd213ps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vfmadd213ps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::Div) => [
                EVEX_Vdivps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vdivps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::And) => [
                EVEX_Vpandd_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vpandd_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
            ],
            Row::Arithmetic(Op::Or) => [
                EVEX_Vpord_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vpord_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vpord_zmm_k1z_zmm_zmmm512b32,
            ],
            Row::Arithmetic(Op::Xor) => [
                EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
            ],
            Row::Arithmetic(Op::Add) => [
                EVEX_Vaddps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vaddps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::Sub) => [
                EVEX_Vsubps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vsubps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::Mul) => [
                EVEX_Vmulps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vmulps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
            ],
            Row::Arithmetic(Op::Max) => [
                EVEX_Vmaxps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vmaxps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae,
            ],
            Row::Arithmetic(Op::Min) => [
                EVEX_Vminps_xmm_k1z_xmm_xmmm128b32,
                EVEX_Vminps_ymm_k1z_ymm_ymmm256b32,
                EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae,
            ],
        };
        match lanes {
            Lanes::Four => four,
            Lanes::Eight => eight,
            Lanes::Sixteen => sixteen,
        }
    }

    fn constant(lanes: Lanes, to: usize, value: f32) -> Result<Vec<Instruction>, IcedError> {
        let broadcast = match lanes {
            Lanes::Four => EVEX_Vpbroadcastd_xmm_k1z_r32,
            Lanes::Eight => EVEX_Vpbroadcastd_ymm_k1z_r32,
            Lanes::Sixteen => EVEX_Vpbroadcastd_zmm_k1z_r32,
        };
        Ok(vec![
            Instruction::with2(Mov_r32_imm32, Register::EAX, value.to_bits())?,
            Instruction::with2(broadcast, Self::register(lanes, to), Register::EAX)?,
        ])
    }

    fn mask(index: usize, mask: Mask) -> Result<Vec<Instruction>, IcedError> {
        Ok(vec![
            Instruction::with2(Mov_r32_imm32, Register::EAX, mask.bits())?,
            Instruction::with2(VEX_Kmovw_kr_r32, opmask(index), Register::EAX)?,
        ])
    }

    fn masked_load(
        mask: usize,
        lanes: Lanes,
        to: Register,
        from: MemoryOperand,
    ) -> Result<Instruction, IcedError> {
        let mut load = Instruction::with2(Self::code(Row::Load, lanes), to, from)?;
        load.set_op_mask(opmask(mask));
        load.set_zeroing_masking(true);
        Ok(load)
    }

    fn masked_store(
        mask: usize,
        lanes: Lanes,
        from: Register,
        to: MemoryOperand,
    ) -> Result<Instruction, IcedError> {
        let mut store = Instruction::with2(Self::code(Row::Store, lanes), to, from)?;
        store.set_op_mask(opmask(mask));
        Ok(store)
    }

    fn select(lanes: Lanes, to: Register, choice: Choice) -> Result<Vec<Instruction>, IcedError> {
        let [compare, blend] = match lanes {
            Lanes::Four => [
                EVEX_Vcmpps_kr_k1_xmm_xmmm128b32_imm8,
                EVEX_Vblendmps_xmm_k1z_xmm_xmmm128b32,
            ],
            Lanes::Eight => [
                EVEX_Vcmpps_kr_k1_ymm_ymmm256b32_imm8,
                EVEX_Vblendmps_ymm_k1z_ymm_ymmm256b32,
            ],
            Lanes::Sixteen => [
                EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae,
                EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32,
            ],
        };
        let predicate = choice.compare.predicate();
        let test = match choice.y {
            Source::Register(y) => Instruction::with4(compare, SELECTED, choice.x, y, predicate),
            Source::Memory(y) => Instruction::with4(compare, SELECTED, choice.x, y, predicate),
        };
        let mut pick = three(blend, to, choice.b, choice.a)?;
        pick.set_op_mask(SELECTED);
        Ok(vec![test?, pick])
    }

    fn scale(
        lanes: Lanes,
        p: Register,
        n: Register,
        _spare: Register,
    ) -> Result<Vec<Instruction>, IcedError> {
        let code = match lanes {
            Lanes::Four => EVEX_Vscalefps_xmm_k1z_xmm_xmmm128b32,
            Lanes::Eight => EVEX_Vscalefps_ymm_k1z_ymm_ymmm256b32,
            Lanes::Sixteen => EVEX_Vscalefps_zmm_k1z_zmm_zmmm512b32_er,
        };
        Instruction::with3(code, p, p, n).map(|scale| vec![scale])
    }
}
