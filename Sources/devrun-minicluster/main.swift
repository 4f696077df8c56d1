internal import Minicluster
