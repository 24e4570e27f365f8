# Sourced by the scripts beside it: virtual environments, and saying what is missing.

# Says that something this machine does not have is needed, and ends with 3.
missing() {
    printf 'missing: %s\n' "$1" >&2
    exit 3
}

# make_venv FOLDER REQUIREMENTS [PACKAGE...]: a new virtual environment with these packages.
make_venv() {
    local folder=$1 requirements=$2
    shift 2
    local python=${PYTHON:-python3}
    command -v "$python" >/dev/null || missing "python3 (or name one in PYTHON), 3.10 or newer"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        missing "Python 3.10 or newer; $python is $("$python" -V 2>&1)"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        missing "the modules venv and ensurepip of $python (Debian: python3-venv)"
    "$python" -m venv --clear "$folder" || missing "a working venv module"
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 || missing "pip in virtual environments"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$requirements" "$@" || missing "the packages in $requirements (is pip's index reachable?)"
}
