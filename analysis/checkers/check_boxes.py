# fmt: off
"""Proofs by input splitting: the part of `check_certificate.py` for boxes split into boxes. Integers, standard library only.

On a box every unit's z is c + sum of n_k e_k + r with all |e_k| <= 1 and |r| <= lost: a zonotope. Where l <= z <= u,
    p z <= max(0, z) <= p z + max(-p l, (1 - p) u)  for every slope 0 <= p <= 1,
so half of that maximum becomes one more noise. Inputs are over 2^g; c, n, lost, l and u over 2^(g + 1), slopes over 2^16."""
from fractions import Fraction
ONE, MOST = 1 << 16, 1 << 26  # most bytes of the numbers of a layer's units
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def zonotope(network, g, lower, upper):  # each output on a box, as [c, n_1, n_2, ...], and lost
    forms = [[a + b, *[b - a if i == j else 0 for j in range(len(lower))]] for i, (a, b) in enumerate(zip(lower, upper))]
    lost = 0  # rounding down loses less than 1 of each number
    for i, (rows, bias, scale) in enumerate(network.layers):  # the numbers of a unit are one long integer, of `size` bytes each
        norm, many = max([1, *[sum([abs(w) for _, w in row]) for row in rows]]), len(forms[0])
        most = norm * max([abs(v) for form in forms for v in form]) + (max(map(abs, bias)) << g + 1)
        size = most.bit_length() // 8 + 1
        require(max(len(rows), len(forms)) * many * size <= MOST, "a zonotope is too large")
        half, ends = 1 << 8 * size - 1, range(0, size * many, size)
        shift = int.from_bytes(half.to_bytes(size, "little") * many, "little")
        whole = [b"".join([(v + half).to_bytes(size, "little") for v in form]) for form in forms]
        packed = [int.from_bytes(text, "little") - shift for text in whole]
        sums = [shift + (b << g + 1) + sum([w * packed[j] for j, w in row if packed[j]]) for row, b in zip(rows, bias)]
        whole = [v.to_bytes(size * many, "little") for v in sums]
        forms = [[int.from_bytes(text[k : k + size], "little") - half >> scale for k in ends] for text in whole]
        lost = -(-lost * norm >> scale) + many + 1
        if i == len(network.layers) - 1:
            break
        radius = [lost + sum(map(abs, form[1:])) for form in forms]
        bounds = [(form[0] - r, form[0] + r) for form, r in zip(forms, radius)]
        slopes = [ONE if a >= 0 else ONE * b // (b - a) if b > 0 else 0 for a, b in bounds]
        rise = [-(-max(-p * a, (ONE - p) * b, 0) // (2 * ONE)) for p, (a, b) in zip(slopes, bounds)]
        unsure = [j for j, up in enumerate(rise) if up]
        forms = [[p * v >> 16 for v in form] if p else [0] * many for p, form in zip(slopes, forms)]
        forms = [[v + up, *n, *[up if j == k else 0 for k in unsure]] for j, ((v, *n), up) in enumerate(zip(forms, rise))]
        lost += many + 1
    return forms, lost
def goals(network, query, leaf):  # what a leaf bounds: ({output: factor}, the positive integer it is to be divided by)
    if "groups" not in query:
        require(leaf == {}, "a leaf has entries that it needs not")
        return [({k - network.units: v for k, v in goal.items()}, 1) for goal in network.goals(query["label"])]
    found, label, outputs = [], query["label"], range(len(network.layers[-1][1]))
    require({*leaf} == {"mix"} and type(label) is int and label in outputs, "a leaf must have a mix, and no more")
    require(query["groups"], "there must be groups")
    for group, mix in zip(query["groups"], leaf["mix"], strict=True):
        require(all(type(k) is int and k in outputs and k != label for k in group), "a group must hold other outputs")
        require(all(type(v) is int and v >= 0 for v in mix) and sum(mix) > 0, "a mix must hold integers >= 0, not all 0")
        require(len({*group}) == len(group) == len(mix), "a mix must have a factor for each output of its group")
        found.append(({label: sum(mix), **{k: -v for k, v in zip(group, mix)}}, sum(mix)))
    return found
def least_margin(network, query):  # the lower bound of the margin that a query's boxes give
    stack, least, g = [(query["boxes"], query["lower"], query["upper"])], [], query["scale"]
    while stack:
        node, lower, upper = stack.pop()
        if "input" in node:
            require({*node} == {"input", "at", "below", "above"}, "a split must have input, at, below and above, and no more")
            j, at = node["input"], node["at"]
            require(type(j) is type(at) is int and 0 <= j < network.inputs and lower[j] <= at <= upper[j], "a split is outside")
            stack += [(node["below"], lower, [*upper[:j], at, *upper[j + 1 :]])]
            stack += [(node["above"], [*lower[:j], at, *lower[j + 1 :]], upper)]
        else:
            aims, (forms, lost) = goals(network, query, node), zonotope(network, g, lower, upper)
            for goal, size in aims:
                centre, *noises = [sum(values) for values in zip(*[[v * x for x in forms[k]] for k, v in goal.items()])]
                value = centre - sum(map(abs, noises)) - lost * sum(map(abs, goal.values()))
                least.append(Fraction(value, size << g + 1))
    return min(least)
