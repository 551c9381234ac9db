# socklab: every door is a target here.  `make` alone lists them.

RUN_SH  := sh harness/run.sh
LAB_DIRS := $(notdir $(wildcard labs/[0-9][0-9]-*))
NUMBERS := $(foreach lab,$(LAB_DIRS),$(firstword $(subst -, ,$(lab))))

export SRC LABS RESULT CHECK STUDENT SEED JOBS YES CC LEVEL ALLOW_WEAK N

# Doors of one lab: check-03, hint-03 and so on.
NUMBERED := check hint submit solution reset prove

.DEFAULT_GOAL := help
# No rule but those here: none that would make "check-" from "check-.o".
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.PHONY: help check doctor demo grade handout rubric test test-more lint skeletons bench soak \
	$(foreach d,$(NUMBERED),$(addprefix $(d)-,$(NUMBERS)))

help:
	@$(RUN_SH) --quiet harness progress
	@awk -v whole="$(wildcard grading)" -F ':.*## ' '/^## Instructor/ && !whole {exit} \
	  /^## /{print "\n" substr($$0, 4)} \
	  /^[a-zN%-]+:.*## /{gsub("%", "NN", $$1); printf "  make %-14s %s\n", $$1, $$2}' Makefile

## Student (CHECK=incsrv or CHECK=incsrv/test_listens picks, SEED=n repeats, JOBS=n, LEVEL=confines)
check: ## build and check all labs, then a table
	@$(RUN_SH) harness check

check-%: ## build and check lab NN: a line per program, then score N/M
	@$(RUN_SH) harness check $*

hint-%: ## the next hint for the first check that failed
	@$(RUN_SH) harness hint $*

submit-%: ## check lab NN, then pack exactly the files to hand in
	@$(RUN_SH) harness submit $*

solution-%: ## the reference solution; asks first while points are missing
	@$(RUN_SH) harness solution $*

reset-%: ## the skeleton again; asks first
	@$(RUN_SH) harness reset $*

doctor: ## what this machine can and can't check, and how to mend that
	@$(RUN_SH) harness doctor

## Instructor (STUDENT=id or CHECK=name grades that again)
demo: ## grade the bundled example class and print the gradebook
	@$(RUN_SH) --install grading demo

grade: ## grade SUBMISSIONS=dir into RUN=dir, resumable
	@$(RUN_SH) --install grading grade "$(SUBMISSIONS)" "$(RUN)" $(LABS)

handout: ## the student tarball: no solutions, no grading
	@$(RUN_SH) harness handout

rubric: ## every check with its points, printed from the checks
	@$(RUN_SH) harness rubric

## Maintainer
test: ## the project's own tests
	@$(RUN_SH) --install pytest -q -rs

test-more: ## what takes longer: classes of N="50 500", a grader killed again and again
	@$(RUN_SH) --install pytest -q -rs $(wildcard */more)

lint: ## formatting and lint of all C and Python
	@$(RUN_SH) --install harness lint

skeletons: ## derive labs/NN-name/*.c from solutions/
	@$(RUN_SH) harness skeletons

prove-%: ## what the checks of lab NN make of its wrong programs
	@$(RUN_SH) harness prove $*

bench: ## the speed budgets, measured side by side
	@$(RUN_SH) harness bench

soak: ## run the checks of LABS RUNS=200 times beside CPU hogs
	@$(RUN_SH) harness soak $(RUNS)

# A number was forgotten.
$(addsuffix -,$(NUMBERED)):
	@echo "Which lab? Say for example: make $@$(firstword $(NUMBERS))" >&2; exit 2

# The patterns above as targets of their own, so that the Tab key completes them.
define door
$(1)-$(2): ; @$(RUN_SH) harness $(1) $(2)
endef
$(foreach n,$(NUMBERS),$(foreach d,$(NUMBERED),$(eval $(call door,$(d),$(n)))))
