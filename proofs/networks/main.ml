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

(* arguments are read from left to right by the lets *)
let table = [
  "squaring", (fun () -> squaring (int ()));
  "settled_squaring", (fun () -> settled_squaring (int ()));
  "multiplication", (fun () -> let m = int () in multiplication m (real ()));
  "maximum", (fun () -> maximum (int ()));
  "linf_distance", (fun () -> linf_distance (list real));
  "soft_indicator", (fun () -> let inner = real () in soft_indicator inner (real ()));
  "lean_indicator", (fun () -> let inner = real () in let outer = real () in let c = list real in lean_indicator inner outer (List.length c) c);
  "memorize", (fun () -> let inner = real () in let outer = real () in let b = real () in let d = int () in
    let clean = network () in memorize inner outer b d clean (data ()));
  "memorizeK", (fun () -> let inner = real () in let outer = real () in let b = real () in let d = int () in let k = int () in
    let clean = network () in let s = data () in memorizeK b k (indicators inner outer d s) s clean);
  "memorizeK_l2", (fun () -> let m = int () in let inner = real () in let outer = real () in let b = real () in let d = int () in let k = int () in
    let clean = network () in let s = data () in memorizeK b k (indicators2 m d inner outer s) s clean);
]
let rec go () = match token () with "" -> () | name -> show ((List.assoc name table) ()); go ()
let () = go ()
