"""The measuring process with the features of the tests."""

from stylus_ext.evaluation.probes.child import main
from tests.evaluation.probes.probed import CellFeatures

if __name__ == "__main__":
    main(CellFeatures())
