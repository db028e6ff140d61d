"""One module per goal of the design; `run(stage)` yields its rows and figures."""
