"""The parts of the test cluster; `rig` beside this folder is its command."""
