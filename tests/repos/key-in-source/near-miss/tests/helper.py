import os
os.environ.get('A')
SECRET_KEY = 'q8Zr7w2Lm5Xv9Tb3'
