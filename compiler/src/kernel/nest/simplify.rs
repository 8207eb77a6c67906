//! Fewer loops, same meaning: loops of one iteration go, neighbours that walk every address as one loop would become one.
//!
//! A dense elementwise operator of any rank thus is a single loop, however it was lowered.

use super::{Access, Affine, Nest, Role};
use crate::memory::view::Extent;
use cnnc_ir::expr::{ExprOp, Literal};

impl Nest {
    /// The nest with the fewest loops that neighbours can be merged into.
    pub fn simplify(mut self) -> Nest {
        let mut counter = self.loops.len();
        while counter > 0 {
            counter -= 1;
            if self.is_removable(counter) {
                self.remove(counter);
            } else if counter + 1 < self.loops.len() && self.is_one_loop(counter) {
                self.merge(counter);
            }
        }
        self
    }

    /// One iteration, and not the last loop of a reduction.
    fn is_removable(&self, counter: usize) -> bool {
        let this = self.loops[counter];
        let alike = self.loops.iter().filter(|l| l.role == this.role).count();
        this.extent == Extent::Fixed(1)
            && (this.role == Role::Parallel || alike > 1 && !self.is_guarded(counter))
    }

    /// Whether a guard or quotient takes away this reduction's iteration; without the counter it would take away the result.
    fn is_guarded(&self, counter: usize) -> bool {
        let reduced =
            |a: &Affine, k: usize| self.loops[k].role == Role::Reduce && a.coefficient(k) != 0;
        let others = |a: &Affine| (0..self.loops.len()).any(|k| k != counter && reduced(a, k));
        let guards = self.guards.iter().map(|g| &g.coordinate);
        let quotients = self.quotients.iter().map(|q| &q.numerator);
        guards
            .chain(quotients)
            .any(|a| reduced(a, counter) && !others(a))
    }

    /// Whether loop `outer` and the next one walk everything as one loop would.
    fn is_one_loop(&self, outer: usize) -> bool {
        let (a, b) = (self.loops[outer], self.loops[outer + 1]);
        let (Extent::Fixed(_), Extent::Fixed(n)) = (a.extent, b.extent) else {
            return false;
        };
        let n = n as i64;
        let flat = |strides: &[i64]| {
            let at = |k: usize| strides.get(k).copied().unwrap_or(0);
            at(outer + 1).checked_mul(n) == Some(at(outer))
        };
        let indexed = self.map.insts.iter().any(
            |i| matches!(i.op, ExprOp::Index(v) if v as usize == outer || v as usize == outer + 1),
        );
        let counted = self.reduction.iter().flat_map(|r| &r.count).any(|g| {
            g.coordinate.coefficient(outer) != 0 || g.coordinate.coefficient(outer + 1) != 0
        });
        a.role == b.role
            && !indexed
            && !counted
            && self.accesses().all(|a| flat(&a.strides))
            && self.affines().all(|a| flat(&a.coefficients))
    }

    /// Makes loop `outer + 1` run over both, then drops `outer`.
    fn merge(&mut self, outer: usize) {
        if let (Extent::Fixed(a), Extent::Fixed(b)) =
            (self.loops[outer].extent, self.loops[outer + 1].extent)
        {
            self.loops[outer + 1].extent = Extent::Fixed(a * b);
            self.remove(outer);
        }
    }

    /// Drops a counter that is always zero, or that a neighbour now stands for.
    fn remove(&mut self, counter: usize) {
        self.loops.remove(counter);
        let drop = |strides: &mut Vec<i64>| {
            if counter < strides.len() {
                strides.remove(counter);
            }
            while strides.last() == Some(&0) {
                strides.pop();
            }
        };
        self.accesses_mut(|a| drop(&mut a.strides));
        self.affines_mut(|a| drop(&mut a.coefficients));
        for inst in &mut self.map.insts {
            match &mut inst.op {
                ExprOp::Index(v) if *v as usize == counter => {
                    inst.op = ExprOp::Lit(Literal::Int(0));
                }
                ExprOp::Index(v) if *v as usize > counter => *v -= 1,
                _ => {}
            }
        }
    }

    fn accesses(&self) -> impl Iterator<Item = &Access> {
        self.all_loads().map(|l| &l.access).chain([&self.store])
    }

    fn affines(&self) -> impl Iterator<Item = &Affine> {
        let loads = self.all_loads().flat_map(|l| &l.guards);
        let count = self.reduction.iter().flat_map(|r| &r.count);
        let guards = self.guards.iter().chain(loads).chain(count);
        let quotients = self.quotients.iter().map(|q| &q.numerator);
        let position = self.reduction.iter().map(|r| &r.position);
        guards
            .map(|g| &g.coordinate)
            .chain(quotients)
            .chain(position)
    }

    fn accesses_mut(&mut self, mut f: impl FnMut(&mut Access)) {
        let extra = self.reduction.iter_mut().flat_map(|r| &mut r.loads);
        for load in self.loads.iter_mut().chain(extra) {
            f(&mut load.access);
        }
        f(&mut self.store);
    }

    fn affines_mut(&mut self, mut f: impl FnMut(&mut Affine)) {
        let mut loads: Vec<_> = self.loads.iter_mut().collect();
        if let Some(r) = &mut self.reduction {
            f(&mut r.position);
            r.count.iter_mut().for_each(|g| f(&mut g.coordinate));
            loads.extend(r.loads.iter_mut());
        }
        for load in loads {
            load.guards.iter_mut().for_each(|g| f(&mut g.coordinate));
        }
        self.guards.iter_mut().for_each(|g| f(&mut g.coordinate));
        self.quotients.iter_mut().for_each(|q| f(&mut q.numerator));
    }
}
