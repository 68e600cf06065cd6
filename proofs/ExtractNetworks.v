From Coq Require Import Reals Extraction ExtrOcamlBasic ExtrOcamlNatInt.
From CGRO Require Import Networks Squaring Multiplication Indicators Memorize MemorizeClasses Distance MemorizeEuclidean
  MemorizeIndicators MemorizeGate MemorizeShared Tooth ThreeSquares MemorizeLiteral Thresholds.
(** To compare weights with the Python code: reals become rationals (the weights use + - * / and integers only). *)
Extract Inductive BinNums.positive => "Big.t"
  [ "(fun x -> Big.succ (Big.shift_left x 1))" "(fun x -> Big.shift_left x 1)" "Big.one" ]
  "(fun f1 f2 f3 x -> if Big.leq x Big.one then f3 () else if Big.is_odd x then f1 (Big.shift_right x 1) else f2 (Big.shift_right x 1))".
Extract Inductive BinNums.Z => "Big.t" [ "Big.zero" "" "Big.neg" ]
  "(fun fO fP fN x -> let s = Big.sign x in if s = 0 then fO () else if s > 0 then fP x else fN (Big.neg x))".
Extract Constant R => "Rat.t".
Extract Constant R0 => "Rat.zero".
Extract Constant R1 => "Rat.one".
Extract Constant Rplus => "Rat.add".
Extract Constant Rmult => "Rat.mul".
Extract Constant Ropp => "Rat.neg".
Extract Constant Rinv => "Rat.inv".
Extract Constant IZR => "Rat.of_bigint".
Extract Constant Rmax => "Rat.max".
Extract Constant ClassicalDedekindReals.sig_forall_dec => "(fun _ -> assert false)".
Extract Constant RbaseSymbolsImpl.Rabst => "(fun _ -> assert false)".
Extract Constant RbaseSymbolsImpl.Rrepr => "(fun _ -> assert false)".
Extraction "networks/nets.ml" squaring settled_squaring multiplication maximum linf_distance soft_indicator
  lean_indicator memorize memorizeK indicators indicators2
  tooth yarotsky memorize2 gate_indicators shared_indicators literal target2 targetK thresholds.
