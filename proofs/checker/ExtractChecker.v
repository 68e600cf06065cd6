From Coq Require Import BinNums ZArith Extraction ExtrOcamlBasic ExtrOcamlNatInt.
From CGRO Require Import Bounds Balls Certificate.
(** Z becomes zarith's Z.t. Trusted: these lines, zarith, OCaml, the reader of the file. *)
Extract Inductive BinNums.positive => "Big.t"
  [ "(fun x -> Big.succ (Big.shift_left x 1))" "(fun x -> Big.shift_left x 1)" "Big.one" ]
  "(fun f1 f2 f3 x -> if Big.leq x Big.one then f3 () else if Big.is_odd x then f1 (Big.shift_right x 1) else f2 (Big.shift_right x 1))".
Extract Inductive BinNums.Z => "Big.t" [ "Big.zero" "" "Big.neg" ]
  "(fun fO fP fN x -> let s = Big.sign x in if s = 0 then fO () else if s > 0 then fP x else fN (Big.neg x))".
Extract Constant Z.add => "Big.add".
Extract Constant Z.sub => "Big.sub".
Extract Constant Z.mul => "Big.mul".
Extract Constant Z.opp => "Big.neg".
Extract Constant Z.max => "Big.max".
Extract Constant Z.min => "Big.min".
Extract Constant Z.ltb => "Big.lt".
Extract Constant Z.leb => "Big.leq".
Extract Constant Z.eqb => "Big.equal".
(** both are called with n >= 0 only where it matters: [check] tests the scales *)
Extract Constant shl => "(fun v n -> Big.shift_left v (Big.to_int n))".
Extract Constant shr => "(fun v n -> Big.shift_right v (Big.to_int n))".
Extract Constant Z.abs => "Big.abs".
Extract Constant Z.div => "(fun a b -> if Big.sign b = 0 then Big.zero else Big.fdiv a b)".
Extract Constant Z.of_nat => "Big.of_int".
Extract Constant Z.sqrt => "Big.sqrt".
Extraction "checker/ml/checker.ml" check_query.
