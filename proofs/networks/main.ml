(* Prints the weights of networks of the development, for tests that compare them with those of the library: on standard input, a name
   of the table and its arguments, again and again. Real numbers have become rational ones (see ExtractNetworks.v). *)
open Nets

let q : Nets.RbaseSymbolsImpl.coq_R -> Rat.t = Obj.magic
let r : Rat.t -> Nets.RbaseSymbolsImpl.coq_R = Obj.magic

(* rows "column:weight ... | bias"; layers end with "-", networks with "=" *)
let show (n : net) =
  let row (weights, bias) =
    List.iteri (fun j w -> if Rat.sign (q w) <> 0 then Printf.printf "%d:%s " j (Rat.to_string (q w))) weights;
    Printf.printf "| %s\n" (Rat.to_string (q bias)) in
  List.iter (fun layer -> List.iter row layer; print_string "-\n") (n.hidden @ [n.readout]);
  print_string "=\n"

let token () = Scanf.scanf " %s" (fun s -> s)
let int () = int_of_string (token ())
let real () = r (Rat.of_string (token ()))
let list read = List.init (int ()) (fun _ -> read ())
let row () = let weights = list real in let bias = real () in (weights, bias)
let network () = let hidden = list (fun () -> list row) in let readout = list row in { hidden; readout }
let data () = list (fun () -> let c = list real in let y = int () in (c, y))

let norm () = match token () with "inf" -> `Inf | _ -> `Two

(* f_S of a variant: norm, m, thresholds, bound, D, K (1 for two labels), f_clean, data; l_2 lean: the centres' squared norms *)
let f_S inds () =
  let p = norm () in let m = int () in let inner = real () in let outer = real () in let b = real () in let d = int () in let k = int () in
  let clean = network () in let s = data () in
  let found = inds p m d inner outer s in
  if k = 1 then memorize2 b found s clean else memorizeK b k found s clean
let gate p m d inner outer s = match p with `Inf -> gate_indicators inner outer d s | `Two -> indicators2 m d inner outer s
let lean p m d inner outer s = match p with `Inf -> indicators inner outer d s | `Two ->
  let norms = List.combine (List.map fst s) (list real) in shared_indicators m d inner outer (fun c -> List.assoc c norms) s
let paper () =
  let p = norm () in let m = int () in let inner = real () in let outer = real () in let b = real () in let d = int () in let k = int () in
  let clean = network () in let s = data () in
  literal (if k = 1 then target2 else targetK) m k b (gate p m d inner outer s) clean s

(* numbers of the library's floats: dyadic, of at most 53 bits (none of those drawn is too large or small) *)
let rational () = let v = Rat.of_string (token ()) in { qnum = Rat.num v; qden = Rat.den v }
let reduced v = Rat.make v.qnum v.qden
let is_float v =
  let v = reduced v in
  let odd n = if Big.equal n Big.zero then n else Big.shift_right n (Big.trailing_zeros n) in
  Big.equal (odd (Rat.den v)) Big.one && Big.numbits (odd (Rat.num v)) <= 53
let cut () =
  let two = (norm () = `Two) in let radius = rational () in let apart = token () in let error = rational () in let doubt = rational () in
  let apart = if apart = "inf" then None else let v = Rat.of_string apart in Some { qnum = Rat.num v; qden = Rat.den v } in
  match thresholds is_float two radius apart error doubt with
  | None -> { hidden = []; readout = [] }
  | Some (inner, outer) -> { hidden = []; readout = [([], r (reduced inner)); ([], r (reduced outer))] }

(* arguments are read from left to right by the lets *)
let table = [
  "squaring", (fun () -> squaring (int ()));
  "settled_squaring", (fun () -> settled_squaring (int ()));
  "multiplication", (fun () -> let m = int () in multiplication m (real ()));
  "tooth", (fun () -> tooth (int ()));
  "yarotsky", (fun () -> let m = int () in yarotsky m (real ()));
  "maximum", (fun () -> maximum (int ()));
  "linf_distance", (fun () -> linf_distance (list real));
  "soft_indicator", (fun () -> let inner = real () in soft_indicator inner (real ()));
  "lean_indicator", (fun () -> let inner = real () in let outer = real () in let c = list real in lean_indicator inner outer (List.length c) c);
  "memorize", (fun () -> let inner = real () in let outer = real () in let b = real () in let d = int () in
    let clean = network () in memorize inner outer b d clean (data ()));
  "gate", f_S gate;
  "lean", f_S lean;
  "paper", paper;
  "thresholds", cut;
]
let rec go () = match token () with "" -> () | name -> show ((List.assoc name table) ()); go ()
let () = go ()
