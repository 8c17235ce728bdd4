# Each target is a line or two into a real tool. `make help` lists them.
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export PYTHONHASHSEED := 0
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup book serve pdf edition links test check labs solutions results bench clean release collect grade look feedback marks statistics solution

# what the instructor's targets are told: make grade CLASS=~/autumn LAB=unfold
GRADING = $(BIN)/python -m rnncourse.grading
need = $(if $($(1)),,$(error $(1) is not given: make $@ $(2)))
CLASS_OF = $(call need,CLASS,CLASS=~/autumn LAB=unfold)--class "$(CLASS)"
LAB_OF = $(call need,LAB,$(if $(filter solution,$@),,CLASS=~/autumn )LAB=unfold)"$(LAB)"

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13))' 2>/dev/null \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed, $$($(PYTHON) --version 2>/dev/null || echo none) was found: install one and say make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "The venv module is missing: on Debian and Ubuntu, sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	@touch $@

setup: .venv/ready  ## make .venv and install requirements.txt

book: setup  ## execute and build the book, strictly; print its first page
	$(BIN)/jupyter-book build . -n -W --keep-going --quiet

serve: book  ## build the book and open it on a local server
	$(BIN)/python -c 'import time, webbrowser; time.sleep(1); webbrowser.open("http://localhost:8000")' >/dev/null 2>&1 &
	$(BIN)/python -m http.server -d _build/html -b localhost 8000

pdf: book  ## the book as one PDF, printed by Chromium
	$(BIN)/python book/_ext/pdf.py _build/html _build/edition/rnn-course-book.pdf

edition: book  ## all that is handed out: the book as zip and PDF, the zip for students, the wheel, in _build/edition
	$(BIN)/python book/_ext/edition.py

links: setup  ## ask every external link of the book whether it still answers (needs a network); _build/output.txt says which do not
	status=0; $(BIN)/jupyter-book build . --builder linkcheck --quiet || status=1; mv _build/html/output.* _build/; exit $$status

test: setup  ## the whole test suite (the quick part alone: pytest)
	$(BIN)/pytest -m "not check" -n auto --dist loadfile

check: setup  ## everything: tests, benchmarks, a second cold build, every page in every browser setting
	$(BIN)/pytest -m "" -n auto --dist loadfile
	$(MAKE) bench

labs: setup  ## make labs/ anew from solutions/
	@! find labs -name '*.ipynb' -exec grep -lE '"execution_count": [0-9]' {} + | grep . \
	  || { echo "These hold work of yours, which would be replaced: move them out of labs/ first."; exit 1; }
	$(BIN)/nbgrader generate_assignment '*' --force --no-db --quiet

solutions: setup  ## execute the solution notebooks again and normalise them
	$(BIN)/jupyter nbconvert --config nbgrader_config.py --log-level WARN --execute --inplace solutions/*/*.ipynb

results: setup  ## run every long experiment again and store its results
	for file in experiments/*.py; do $(BIN)/python $$file || exit 1; done

bench: setup  ## measure speed and size against their bars
	status=0; for file in benchmarks/*.py; do $(BIN)/python $$file || status=1; done; exit $$status

clean:  ## remove what was built, not .venv
	rm -rf _build

release: book  ## the zip for students, with the rendered book
	$(GRADING) release

collect: setup  ## CLASS= LAB= FROM= (ROSTER= PAIRS=): what was handed in, to where the grader finds it
	$(GRADING) collect $(CLASS_OF) $(LAB_OF) $(call need,FROM,CLASS=~/autumn LAB=unfold FROM=~/downloads/unfold.zip)"$(FROM)" $(if $(ROSTER),--roster "$(ROSTER)") $(if $(PAIRS),--pairs "$(PAIRS)")

grade: setup  ## CLASS= LAB= (JOBS= DASK= DUE= AGAIN=1): grade in a sandbox
	$(GRADING) grade $(CLASS_OF) $(LAB_OF) $(if $(JOBS),--jobs $(JOBS)) $(if $(DASK),--dask $(DASK)) $(if $(DUE),--due "$(DUE)") $(if $(AGAIN),--again)

look: setup  ## CLASS=: open formgrader, for marks and comments by hand
	$(GRADING) look $(call need,CLASS,CLASS=~/autumn)--class "$(CLASS)"

feedback: setup  ## CLASS= LAB= (AFTER_DEADLINE=1): the pages that students get back
	$(GRADING) feedback $(CLASS_OF) $(LAB_OF) $(if $(AFTER_DEADLINE),--after-deadline)

marks: setup  ## CLASS= (LAB= FORM=moodle, canvas or, if none is named, plain): marks as CSV
	$(GRADING) marks $(call need,CLASS,CLASS=~/autumn)--class "$(CLASS)" $(LAB) $(if $(FORM),--form $(FORM))

statistics: setup  ## CLASS= LAB=: a page on how the class did
	$(GRADING) statistics $(CLASS_OF) $(LAB_OF)

solution: setup  ## LAB=: a page of the commented solution
	$(GRADING) solution $(LAB_OF)
