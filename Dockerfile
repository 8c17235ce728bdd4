# The grading, for macOS and Windows: the instructor's guide says which flags it is run with, and why.
FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap git make && rm -rf /var/lib/apt/lists/* \
 && useradd grader && install -d -o grader /course /class
# formgrader is reached from outside of the container
RUN install -d /etc/jupyter && printf 'c.ServerApp.ip = "0.0.0.0"\nc.ServerApp.open_browser = False\n' > /etc/jupyter/jupyter_server_config.py
# an ordinary user, who may have another number than this one
USER grader
ENV HOME=/tmp
WORKDIR /course
COPY --chown=grader Makefile nbgrader_config.py pyproject.toml requirements.txt ./
COPY --chown=grader rnncourse rnncourse
RUN make setup PIP_ARGS="--no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu"
COPY --chown=grader _config.yml _toc.yml LICENSE requirements-labs.txt ./
COPY --chown=grader book book
COPY --chown=grader experiments experiments
COPY --chown=grader benchmarks benchmarks
COPY --chown=grader solutions solutions
COPY --chown=grader labs labs
CMD ["make"]
