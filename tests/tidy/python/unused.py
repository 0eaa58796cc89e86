import json
import os.path


print(os)
