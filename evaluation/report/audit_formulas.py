"""The exact computation of each of the auditor's checks as a formula, and which cells of the panel it rests on.

The same in every language. τ is the headline's effect, SE its placebo standard deviation, y_it the outcome of unit i in period
t, w_i the weight of control i, β_i its reaction to the cycle N_t, 1 the treated unit, T₀ the last period before the start, and
n() a number of them.
"""

from __future__ import annotations

FORMULAS: dict[str, str] = {
    "loading_balance": (
        "y_it = α_i + β_i N_(−i)t + ε_it,  t ≤ T₀;   b_i = m + r (β_i − m),  r = (var β − mean se²) / var β;   "
        "value = |(b₁ − Σ w_i b_i) ΔN| / SE"
    ),
    "backcast": "RMSE_i = √ mean_(t ∈ held out) (y_it − ŷ_it)²;   value = n(i : RMSE_i ≥ RMSE₁) / n(i)",
    "ladder": "value = n(valid rungs k : τ_k outside [lower, upper]);   cycle = τ_none − τ",
    "equal_shock_placebos": "D = {i : |β_i − β₁| ≤ 0.10 and demand within 0.25 sd};   value = n(i ∈ D : |τ_i| ≥ |τ|) / n(D)",
    "in_time_placebos": "value = min over pretended starts s < T₀ of p(τ_s)",
    "negative_controls": "z_k = τ_k / SE_k;   value = (1 + n(i : max_k |z_ik| ≥ max_k |z_k|)) / (1 + n(i))",
    "common_shock": "y*_it = y_it + λ_i s_t,  λ ~ N(1, sd²);   value = max over kinds |mean(τ* − τ₀)| / |s|",
    "planted_effect": "y*_it = y_it + δ 1{t > T₀} for i in turn;   value = |mean(τ*_i − τ_i) / δ − 1|",
    "factor_sufficiency": "y_it − ȳ_i − ȳ_t + ȳ = Σ_r λ_ir f_rt + ε_it;   value = max_r |τ(r) − τ(0)| / SE",
    "spillover_rings": "value = max(|τ − τ without ring 1|, |τ − τ without rings 1 and 2|) / SE",
    "donors": "value = (max_j τ_(−j) − min_j τ_(−j)) / SE,  j a donor or a group",
    "policy_shocks": "y_it = … + Σ_p θ_p share_ip 1{t ≥ start_p};   value = max_p |τ(p) − τ| / SE",
    "composition": "value = |τ stock − τ cohort| / SE",
    "breakdown": "drift = |τ / ΔN|;   shock = |τ|;   value = M̄ = max(0, |τ| − sign(τ) δ_last) / (D · mean k)",
    "cycle_state": "value = min over phases of τ_phase / τ",
    "provenance": "value = n(items of the record that are missing)",
}  # fmt: skip

CELLS: dict[str, str] = {
    "loading_balance": "before",
    "backcast": "before",
    "ladder": "all",
    "equal_shock_placebos": "others",
    "in_time_placebos": "before",
    "negative_controls": "outcomes",
    "common_shock": "others",
    "planted_effect": "others",
    "factor_sufficiency": "all",
    "spillover_rings": "all",
    "donors": "all",
    "policy_shocks": "all",
    "composition": "persons",
    "breakdown": "all",
    "cycle_state": "all",
    "provenance": "record",
}
"""Check -> which cells it rests on, by the words `audit_page.cells.KEY`."""
